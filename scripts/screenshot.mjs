#!/usr/bin/env node
// Turns a captured terminal screen into an SVG picture:
//   tmux capture-pane -p -e -N | node scripts/screenshot.mjs [--title TEXT] [--columns N] > picture.svg
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import stringWidth from 'string-width';

const CELL = { width: 8.4, height: 18 };
const FONT = "ui-monospace, 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace";
const EMOJI_FONT = "'Apple Color Emoji', 'Segoe UI Emoji', 'Noto Color Emoji', monospace";
const PAD = 14;
const TITLE_BAR = 30;
const INK = '#d6dbe4';
const PAPER = '#171b24';
const PALETTE = [
  ['#3b4252', '#e06c75', '#8fc77a', '#e2b86b', '#6fa8e8', '#c792ea', '#5fc3cf', '#c8ced9'],
  ['#6b7486', '#ff8b92', '#a9dc8f', '#f5cf85', '#8fc1ff', '#dcb0f7', '#82dbe5', '#ffffff'],
].flat();

/** Fonts disagree about these; drawn, they meet without gaps. */
const SHAPES = {
  '─': ({ x, top, width, ink }) => `<rect x="${x}" y="${top + 8.5}" width="${width}" height="1" fill="${ink}"/>`,
  '█': ({ x, top, width, ink }) => `<rect x="${x}" y="${top + 3}" width="${width}" height="12" fill="${ink}"/>`,
  '░': ({ x, top, width, ink }) =>
    `<rect x="${x}" y="${top + 3}" width="${width}" height="12" fill="${ink}" fill-opacity="0.22"/>`,
};

const { values } = parseArgs({ options: { title: { type: 'string', default: '' }, columns: { type: 'string' } } });
const screen = (await buffer(process.stdin)).toString().replace(/\n$/, '').split('\n').map(readLine(plainLook()));
const columns = Number(values.columns ?? Math.max(...screen.map((cells) => cells.length)));
process.stdout.write(draw(screen, columns, values.title));

function plainLook() {
  return { ink: undefined, paper: undefined, bold: false, inverse: false, underline: false };
}

/** A reader of lines into cells `{ text, width, look }`; what a line leaves switched on holds for the next. */
function readLine(look) {
  return (line) => {
    const cells = [];
    for (const [, sgr, text] of line.matchAll(/\x1b\[([0-9;:]*)m|\x1b[^m]*?[@-~]|([^\x1b]+)/g)) {
      if (sgr !== undefined) obey(sgr.split(/[;:]/).map(Number), look);
      else if (text !== undefined) cells.push(...cellsOf(text, { ...look }));
    }
    return cells;
  };
}

/** One entry per column: a wide character is followed by an empty one. */
function cellsOf(text, look) {
  return [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)].flatMap(({ segment }) => {
    const width = Math.max(1, stringWidth(segment));
    return [{ text: segment, width, look }, ...Array.from({ length: width - 1 }, () => ({ text: '', width: 0, look }))];
  });
}

/** Select Graphic Rendition: colours, bold, underline, inverse. */
function obey(codes, look) {
  for (let code = codes.shift(); code !== undefined; code = codes.shift()) {
    if (code === 0) Object.assign(look, plainLook());
    else if (code === 1) look.bold = true;
    else if (code === 4) look.underline = true;
    else if (code === 7) look.inverse = true;
    else if (code === 22) look.bold = false;
    else if (code === 24) look.underline = false;
    else if (code === 27) look.inverse = false;
    else if (code === 38) look.ink = longColour(codes);
    else if (code === 48) look.paper = longColour(codes);
    else if (code >= 30 && code <= 37) look.ink = PALETTE[code - 30];
    else if (code >= 90 && code <= 97) look.ink = PALETTE[code - 82];
    else if (code >= 40 && code <= 47) look.paper = PALETTE[code - 40];
    else if (code >= 100 && code <= 107) look.paper = PALETTE[code - 92];
    else if (code === 39) look.ink = undefined;
    else if (code === 49) look.paper = undefined;
  }
}

/** What follows 38 or 48: `5;N` of 256, or `2;R;G;B`. */
function longColour(codes) {
  if (codes.shift() === 2) return hex(codes.splice(0, 3));
  const index = codes.shift() ?? 0;
  if (index < 16) return PALETTE[index];
  if (index >= 232) return hex(Array(3).fill(8 + (index - 232) * 10));
  const step = (n) => [0, 95, 135, 175, 215, 255][n];
  return hex([step(Math.floor((index - 16) / 36)), step(Math.floor((index - 16) / 6) % 6), step((index - 16) % 6)]);
}

function hex(channels) {
  return `#${channels.map((channel) => Math.min(255, channel).toString(16).padStart(2, '0')).join('')}`;
}

function draw(lines, columns, title) {
  const width = round(columns * CELL.width + 2 * PAD);
  const height = round(lines.length * CELL.height + 2 * PAD + TITLE_BAR);
  const dots = ['#ff6b60', '#ffc043', '#35cd4b'].map(
    (fill, i) => `<circle cx="${20 + i * 20}" cy="16" r="5.5" fill="${fill}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}" font-size="14">`,
    `<title>${escapeXml(title || 'A terminal')}</title>`,
    `<rect width="${width}" height="${height}" rx="9" fill="${PAPER}"/>`,
    ...dots,
    `<text x="${width / 2}" y="21" text-anchor="middle" fill="#8a93a5" font-size="13">${escapeXml(title)}</text>`,
    ...lines.flatMap((cells, row) => drawLine(cells, PAD + TITLE_BAR + row * CELL.height)),
    '</svg>\n',
  ].join('\n');
}

function drawLine(cells, top) {
  return runsOf(cells).flatMap((run) => {
    const x = round(PAD + run.column * CELL.width);
    const width = round(run.columns * CELL.width);
    const [ink, paper] = coloursOf(run.look);
    const shapes = paper
      ? [
          `<rect x="${x}" y="${top}" width="${width}" height="${CELL.height}" fill="${paper}" shape-rendering="crispEdges"/>`,
        ]
      : [];
    return [...shapes, ...drawText(run, { x, top, width, ink })];
  });
}

/** Cells that look alike, as one piece; wide characters and drawn shapes alone, so that each keeps its place. */
function runsOf(cells) {
  const runs = [];
  for (const [column, cell] of cells.entries()) {
    const last = runs.at(-1);
    const kind = cell.width === 1 ? (SHAPES[cell.text] ? cell.text : 'text') : 'wide';
    const joins = last && last.kind === kind && kind !== 'wide' && sameLook(last.look, cell.look);
    if (cell.width === 0) continue;
    if (joins) Object.assign(last, { text: last.text + cell.text, columns: last.columns + 1 });
    else runs.push({ column, columns: cell.width, text: cell.text, look: cell.look, kind });
  }
  return runs;
}

function drawText({ text, kind, look }, place) {
  const shape = SHAPES[kind];
  if (shape) return [shape(place)];
  const begin = text.length - text.trimStart().length;
  const shown = text.trim();
  if (shown === '') return [];
  const x = kind === 'wide' ? place.x : round(place.x + begin * CELL.width);
  const length = kind === 'wide' ? place.width : round(stringWidth(shown) * CELL.width);
  const style = `${look.bold ? ' font-weight="bold"' : ''}${look.underline ? ' text-decoration="underline"' : ''}`;
  const family = /\p{Emoji_Presentation}|\ufe0f/u.test(shown) ? ` font-family="${EMOJI_FONT}"` : '';
  const fit = kind === 'wide' ? family : ` textLength="${length}" lengthAdjust="spacingAndGlyphs"`;
  return [
    `<text x="${x}" y="${place.top + 13}" fill="${place.ink}"${style}${fit} xml:space="preserve">${escapeXml(shown)}</text>`,
  ];
}

function coloursOf({ ink = INK, paper, inverse }) {
  return inverse ? [paper ?? PAPER, ink] : [ink, paper];
}

function sameLook(a, b) {
  return Object.keys(a).every((key) => a[key] === b[key]);
}

function escapeXml(text) {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function round(number) {
  return Math.round(number * 100) / 100;
}
