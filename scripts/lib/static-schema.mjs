import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const SCHEMAS = ['mediator.proto', 'peer.proto'];
const REPLACED = /[\\/]src[\\/]protocol[\\/]schema\.ts$/;

/** For rolldown: puts what `staticSchema` makes in the place of src/protocol/schema.ts. */
export function staticSchemaPlugin() {
  return {
    name: 'static-schema',
    load: { filter: { id: REPLACED }, handler: () => ({ code: staticSchema(), moduleType: 'js' }) },
  };
}

/**
 * JavaScript that does what src/protocol/schema.ts does, without reading and compiling the schemas: it holds the
 * functions that protobufjs generates of them.
 */
export function staticSchema() {
  const types = SCHEMAS.flatMap((file) => typesIn(protobuf.loadSync(pathOf(file)).resolveAll()));
  const nameOf = new Map(types.map((type, at) => [type, `type${at}`]));
  return [
    `import protobuf from 'protobufjs/minimal.js';`,
    'const { Reader, Writer, util } = protobuf;',
    'const NO_BYTES = new Uint8Array(0);',
    ...types.map((type) => `const ${nameOf.get(type)} = ${describe(type)};`),
    ...types.map((type) => complete(type, nameOf)),
    `const byName = { ${types.map((type) => `${JSON.stringify(type.fullName.slice(1))}: ${nameOf.get(type)}`).join(', ')} };`,
    'export const loadType = (_, name) => byName[name];',
  ].join('\n');
}

function pathOf(file) {
  return fileURLToPath(new URL(`../../proto/${file}`, import.meta.url));
}

function typesIn(namespace) {
  const nested = namespace.nestedArray.flatMap((each) => (each instanceof protobuf.Namespace ? typesIn(each) : []));
  return namespace instanceof protobuf.Type ? [namespace, ...nested] : nested;
}

function describe(type) {
  return JSON.stringify({ name: type.name, hasBody: type.oneofs?.body !== undefined });
}

/** Its fields, which may be of any other type, and the functions, which look for these under the names given here. */
function complete(type, nameOf) {
  const fields = type.fieldsArray.map(({ name, type: typeName, repeated, partOf, resolvedType }) => {
    if (resolvedType !== null && !nameOf.has(resolvedType)) throw new Error(`${type.name}.${name} is no message`);
    const plain = JSON.stringify({ name, type: typeName, repeated, inBody: partOf !== null });
    return `{ ...${plain}, message: ${nameOf.get(resolvedType) ?? null} }`;
  });
  const lists = type.fieldsArray.filter(({ repeated }) => repeated).map(({ name }) => `this.${name} = [];`);
  const defaults = type.fieldsArray.map((field) => `${field.name}: ${defaultOf(field)}`);
  return `{
const it = ${nameOf.get(type)};
it.fields = [${fields.join(', ')}];
const types = it.fields.map(({ message }) => message);
const C = function () { ${lists.join(' ')} };
C.prototype = { ${defaults.join(', ')} };
it.encode = ${protobuf.encoder(type).toString('encode')};
it.decode = ${protobuf.decoder(type).toString('decode')};
}`;
}

function defaultOf({ name, type, repeated, resolvedType, map, hasPresence }) {
  if (map || (hasPresence && resolvedType === null)) throw new Error(`a default for ${name} is not known here`);
  if (repeated || resolvedType !== null) return 'null';
  if (type === 'bytes') return 'NO_BYTES';
  if (type === 'string') return '""';
  return type === 'bool' ? 'false' : '0';
}
