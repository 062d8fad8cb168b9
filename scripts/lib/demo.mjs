import { playChat } from './demo-chat.mjs';
import { playScript } from './demo-script.mjs';
import { setTheStage } from './demo-stage.mjs';

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
