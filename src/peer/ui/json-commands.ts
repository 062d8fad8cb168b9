import { ExitCode, UserError } from '../../protocol/errors.js';

/** The commands of the contract, one a line on standard input. */
export type JsonCommand =
  | { command: 'message'; text: string; ref?: string }
  | { command: 'send'; paths: string[]; ref?: string }
  | { command: 'accept'; transfer: string; into?: string }
  | { command: 'decline' | 'cancel'; transfer: string }
  | { command: 'read' | 'follow'; id: string }
  | { command: 'verify'; verified: boolean }
  | { command: 'disappear'; seconds: number }
  | { command: 'disappear'; agree: boolean }
  | { command: 'status' | 'quit' };

type Fields = Record<string, unknown>;

const NAMES = 'message, send, accept, decline, cancel, read, follow, verify, disappear, status or quit';

/** Throws a UserError (code 2) that says what is wrong with the line and what a right one looks like. */
export function parseJsonCommand(line: string): JsonCommand {
  const fields = parseObject(line);
  const { command } = fields;
  switch (command) {
    case 'message':
      return { command, text: textField(fields, 'text'), ...optionalField(fields, 'ref') };
    case 'send':
      return { command, paths: pathsField(fields), ...optionalField(fields, 'ref') };
    case 'accept':
      return { command, transfer: textField(fields, 'transfer'), ...optionalField(fields, 'into') };
    case 'decline':
    case 'cancel':
      return { command, transfer: textField(fields, 'transfer') };
    case 'read':
    case 'follow':
      return { command, id: textField(fields, 'id') };
    case 'disappear':
      if (fields.agree !== undefined) return { command, agree: booleanField(fields, 'agree') };
      return { command, seconds: numberField(fields, 'seconds') };
    case 'verify':
      return { command, verified: booleanField(fields, 'verified') };
    case 'status':
    case 'quit':
      return { command };
    default:
      throw refusal(`there is no command ${quote(command)}`, `"command" is ${NAMES}.`);
  }
}

function parseObject(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw refusal('the line is not JSON', 'Write one JSON object a line, such as {"command":"status"}.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refusal('the line is not a JSON object', 'Write one object a line, such as {"command":"status"}.');
}

function textField(fields: Fields, name: string): string {
  const value = fields[name];
  if (!isText(value)) throw refusal(`"${name}" is not a string`, `Give "${name}" as a string of valid Unicode.`);
  return value;
}

function numberField(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || value < 0)
    throw refusal(`"${name}" is not a number`, `Give "${name}" as a number from 0 on.`);
  return value;
}

function booleanField(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean')
    throw refusal(`"${name}" is neither true nor false`, `Give "${name}" as true or false.`);
  return value;
}

function optionalField<Name extends string>(fields: Fields, name: Name): { [key in Name]?: string } {
  if (fields[name] === undefined) return {};
  return { [name]: textField(fields, name) } as { [key in Name]?: string };
}

function pathsField(fields: Fields): string[] {
  const { paths } = fields;
  if (Array.isArray(paths) && paths.length > 0 && paths.every(isText)) return paths;
  throw refusal('"paths" is not a list of paths', 'Give "paths" as a list of at least one string.');
}

/** JSON can spell half a surrogate pair, which no file name and no message on the wire can hold. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value);
}

function quote(value: unknown): string {
  return value === undefined ? 'in the line' : JSON.stringify(value).slice(0, 50);
}

function refusal(message: string, hint: string): UserError {
  return new UserError(ExitCode.usage, message, hint);
}
