import type { Argv } from 'yargs';
import { NEW_KEY_BITS } from '../../protocol/constants.js';
import { HOME_OPTION, PASSPHRASE_FILE_OPTION } from './command-options.js';
import { parseBits } from './values.js';
import { type Declare, usageError } from './work.js';

/** keygen, id, and key with its own commands. */
export const declareKeyCommands: Declare = (parser, choose) =>
  parser
    .command('keygen <dir>', 'make your key pair, and the public key for the others', declareKeygen, (words) => {
      const { dir: directory, passphrase = false, passphraseFile } = words;
      const bits = parseBits(words.bits);
      if (directory === '') throw usageError('the folder has no name', 'keygen');
      if (passphrase && passphraseFile !== undefined) {
        throw usageError('only one of --passphrase and --passphrase-file can be given', 'keygen');
      }
      choose(async (environment) => {
        const { keygen } = await import('./keygen.js');
        return keygen({ directory, bits, passphrase, passphraseFile }, environment);
      });
    })
    .command('id <file>', 'show whose key a file holds, in words to read to each other', declareId, (words) => {
      const { file, json = false, qr = false, passphraseFile } = words;
      choose(async (environment) => {
        const { showId } = await import('./id.js');
        return showId({ file, json, qr, passphraseFile }, environment);
      });
    })
    .command('key', 'change your key', (group) =>
      group
        .usage('$0 key <command>')
        .demandCommand(1, 'name what to do: rotate')
        .command('rotate <path>', 'make a new key, which your contacts are asked to follow', declareRotate, (words) => {
          const { path, passphrase = false, passphraseFile, home } = words;
          const bits = parseBits(words.bits);
          if (path === '') throw usageError('the key pair has no name', 'key rotate');
          if (passphrase && passphraseFile !== undefined) {
            throw usageError('only one of --passphrase and --passphrase-file can be given', 'key rotate');
          }
          choose(async (environment) => {
            const { rotate } = await import('./rotate.js');
            return rotate({ path, bits, passphrase, passphraseFile, home }, environment);
          });
        }),
    );

function declareKeygen(parser: Argv) {
  return parser
    .usage('$0 keygen <dir> [--bits N] [--passphrase | --passphrase-file FILE]')
    .positional('dir', { type: 'string', demandOption: true, describe: 'folder; made if missing' })
    .option('bits', { type: 'string', requiresArg: true, default: String(NEW_KEY_BITS), describe: '2048 to 8192' })
    .option('passphrase', { type: 'boolean', describe: 'encrypt the private key; asks for the passphrase' })
    .option('passphrase-file', {
      type: 'string',
      requiresArg: true,
      describe: 'encrypt the private key; the passphrase is the first line of this file',
    })
    .example('$0 keygen ~/.keys', 'writes mykeypair.pem and public.pem')
    .example('$0 keygen ~/.keys --passphrase', 'a stolen file is then of no use');
}

function declareRotate(parser: Argv) {
  return parser
    .usage('$0 key rotate <path> [--bits N] [--passphrase | --passphrase-file FILE]')
    .positional('path', { type: 'string', demandOption: true, describe: 'your key pair, or the folder that holds it' })
    .option('bits', { type: 'string', requiresArg: true, default: String(NEW_KEY_BITS), describe: '2048 to 8192' })
    .option('passphrase', {
      type: 'boolean',
      describe: 'ask for a passphrase of the new key; else it has that of the old one, if that has any',
    })
    .option('passphrase-file', {
      type: 'string',
      requiresArg: true,
      describe: 'first line: the passphrase of both keys (or set TURBO_BEEP_PASSPHRASE)',
    })
    .option('home', HOME_OPTION)
    .example('$0 key rotate ~/.keys', 'a new mykeypair.pem and public.pem; the old pair is kept beside them');
}

function declareId(parser: Argv) {
  return parser
    .usage('$0 id <file>')
    .positional('file', { type: 'string', demandOption: true, describe: 'a key pair or a public key' })
    .option('json', { type: 'boolean', describe: 'print {"id", "words"}' })
    .option('qr', { type: 'boolean', describe: 'show the QR code even where there is no terminal' })
    .option('passphrase-file', PASSPHRASE_FILE_OPTION)
    .example('$0 id public.pem', '');
}
