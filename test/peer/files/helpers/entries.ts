import type { ManifestEntry } from '../../../../src/protocol/messages.js';

export const MTIME_MS = 1_700_000_000_123;

export function aFile(path: string, size = 0): ManifestEntry {
  return { path, directory: false, size, mode: 0o644, mtimeMs: MTIME_MS };
}

export function aFolder(path: string): ManifestEntry {
  return { path, directory: true, size: 0, mode: 0o755, mtimeMs: MTIME_MS };
}
