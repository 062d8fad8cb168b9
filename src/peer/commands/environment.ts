/** What main.ts hands on of the process's environment; nobody else reads it. */
export interface Environment {
  /** TURBO_BEEP_PASSPHRASE, of an encrypted key pair. */
  passphrase: string | undefined;
  /** XDG_CONFIG_HOME or, on Windows, APPDATA. */
  configHome: string | undefined;
  /** TURBO_BEEP_DEMO: the demo runs, which may use the example keys without a warning. */
  demo: boolean;
  /** TERM: what the terminal understands. */
  term: string | undefined;
  /** NO_COLOR is set (no-color.org). */
  noColour: boolean;
}
