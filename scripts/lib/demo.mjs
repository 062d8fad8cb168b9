import { playChat } from './demo-chat.mjs';
import { playScript } from './demo-script.mjs';
import { setTheStage } from './demo-stage.mjs';

// Whoever is cut short (by `| head`, say) leaves the stage as whoever comes to the end.
process.stdout.on('error', () => process.exit());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const scripted = process.argv.includes('--script') || !process.stdin.isTTY || !process.stdout.isTTY;
const stage = await setTheStage();
try {
  process.exitCode = await (scripted ? playScript(stage) : playChat(stage));
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stage.stop();
}
