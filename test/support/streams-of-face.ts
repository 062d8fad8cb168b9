import { PassThrough } from 'node:stream';

/** The streams that a face is given, in the test's hand. */
export interface FaceStreams {
  input: PassThrough & { isTTY?: boolean };
  output: PassThrough & { isTTY?: boolean; columns?: number };
  errorOutput: PassThrough;
  /** Everything written so far. */
  written(): string;
  errors(): string;
}

export function faceStreams({ terminal = false, columns = 80 } = {}): FaceStreams {
  const input = new PassThrough();
  const output = new PassThrough();
  const errorOutput = new PassThrough();
  if (terminal) {
    Object.assign(input, { isTTY: true });
    Object.assign(output, { isTTY: true, columns });
  }
  const [text, errors] = [collect(output), collect(errorOutput)];
  return { input, output, errorOutput, written: text, errors };
}

function collect(stream: PassThrough): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  return () => text;
}
