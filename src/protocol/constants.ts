/** Numbers of the protocol: both sides must agree on them. proto/README.md tells where each is used. */

export const PROTOCOL_VERSION = 1;
export const MEDIATOR_PORT = 54700;

/** RSA-PSS with SHA-256 and this salt; verifiers insist on the length, for "automatic" accepts a salt of 0. */
export const PSS_SALT_BYTES = 32;
export const NONCE_BYTES = 32;
export const TOKEN_BYTES = 32;
export const PROBE_KEY_BYTES = 32;
export const EXPORTER_BYTES = 32;
export const ID_BYTES = 32;
export const JOURNAL_ID_BYTES = 16;
export const TRANSFER_ID_BYTES = 16;

export const RSA_MIN_BITS = 2048;
export const RSA_MAX_BITS = 8192;
export const RSA_MIN_EXPONENT = 65537n;

/** Type byte and 32-bit length in front of every frame. */
export const FRAME_HEADER_BYTES = 5;
/** Before the other end has proved who it is; fits the largest signature (8192 bits) with room. */
export const MAX_FRAME_UNPROVEN = 4 * 1024;
export const MAX_FRAME_MEDIATOR = 16 * 1024;
/** One data chunk with its header, or one message. */
export const MAX_FRAME_PEER = 512 * 1024;
/** Stream, entry and offset before a data chunk's content. */
export const DATA_HEADER_BYTES = 16;
export const DATA_CHUNK_BYTES = 256 * 1024;

export const MAX_TEXT_BYTES = 64 * 1024;
/** Of messages that disappear: a leap year. */
export const MAX_LIFETIME_MS = 366 * 24 * 3600 * 1000;
/** Texts that one Read names; a frame could hold so many that looking them up would take seconds. */
export const MAX_READ_SEQUENCES = 1024;
export const MAX_CANDIDATES = 16;
/** What one reflexive candidate may tell of the ports that its gateway chose. */
export const MAX_SEEN_PORTS = 64;
/** Two keys of 8192 bits and their signatures fill half of it. */
export const MAX_SUCCESSION_BYTES = 8 * 1024;
/** A manifest travels in parts, and is refused as a whole above these. */
export const MANIFEST_PART_BYTES = 64 * 1024;
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
export const MAX_MANIFEST_ENTRIES = 500_000;
/** Of one path inside a manifest, UTF-8. */
export const MAX_PATH_BYTES = 4096;
/** What a resuming receiver may say it holds of one file. */
export const MAX_CHECKPOINTS = 4096;
/** What the end of a file counts for in a stream's window: putting a file in place takes time, however small it is. */
export const FILE_END_COST = 1024;

/** What the relay stream carries for a pair even under --no-relay: enough for handshakes and candidates. */
export const RELAY_SIGNALLING_BYTES = 256 * 1024;

/** Numbers of this implementation: another one may choose otherwise. */

export const NEW_KEY_BITS = 3072;
export const PBKDF2_ITERATIONS = 600_000;
/** Some seconds of hashing; nobody's program asks for more. */
export const MAX_PBE_ROUNDS = 20_000_000;

/** A stranger may hold a connection open this long without having proved anything. */
export const HANDSHAKE_DEADLINE_MS = 10_000;
/** Silent for this long: send a ping. Below 20 s, the shortest NAT timeouts seen for TCP and UDP alike. */
export const KEEPALIVE_IDLE_MS = 5_000;
/** Silent for this long in spite of pings: the link is dead. */
export const KEEPALIVE_DEAD_MS = 14_000;
/** What is not answered in this time is asked again; if that is not answered either, the link is doubted. */
export const KEEPALIVE_ANSWER_MS = 1_000;
