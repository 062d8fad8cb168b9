import { ProtocolError, UserError } from '../../../protocol/errors.js';
import { DigestMismatchError, SourceChangedError } from '../file-errors.js';

/** An error as it crosses between threads: the structured clone would lose its class and what it carries. */
export interface CrossingError {
  name: string;
  message: string;
  stack: string | undefined;
  cause: CrossingError | undefined;
  /** Such as a system error's code, or a UserError's hint. */
  properties: object;
}

const classes: Record<string, { prototype: Error }> = {
  UserError,
  ProtocolError,
  DigestMismatchError,
  SourceChangedError,
};

export function packError(thrown: unknown): CrossingError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack, cause } = error;
  return { name, message, stack, cause: cause === undefined ? undefined : packError(cause), properties: { ...error } };
}

/** The same kind of error on the other side. Of a kind unknown here it is an Error with that name. */
export function unpackError({ name, message, stack, cause, properties }: CrossingError): Error {
  const error = cause ? new Error(message, { cause: unpackError(cause) }) : new Error(message);
  Object.setPrototypeOf(error, classes[name]?.prototype ?? Error.prototype);
  if (stack !== undefined) error.stack = stack;
  if (error.name !== name) error.name = name;
  return Object.assign(error, properties);
}
