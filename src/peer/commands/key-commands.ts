import type { Argv } from 'yargs';
import { NEW_KEY_BITS } from '../../protocol/constants.js';
import { PASSPHRASE_FILE_OPTION } from './command-options.js';
import { parseBits } from './values.js';
import { type Declare, usageError } from './work.js';

/** keygen and id. */
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
    });

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

function declareId(parser: Argv) {
  return parser
    .usage('$0 id <file>')
    .positional('file', { type: 'string', demandOption: true, describe: 'a key pair or a public key' })
    .option('json', { type: 'boolean', describe: 'print {"id", "words"}' })
    .option('qr', { type: 'boolean', describe: 'show the QR code even where there is no terminal' })
    .option('passphrase-file', PASSPHRASE_FILE_OPTION)
    .example('$0 id public.pem', '');
}
