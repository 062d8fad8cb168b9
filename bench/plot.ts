import { judge, type Line, type Report, spell } from './report.js';

const [ROW, LABEL, BAR, TOP] = [46, 330, 300, 40];

/** Each line with a reference as two bars, ours and the other's; the whiskers go from the least to the most. */
export function plot(reports: readonly Report[]): string {
  const lines = reports.flatMap((report) => report.lines).filter((line) => line.reference !== null);
  const height = TOP + lines.length * ROW + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" font-family="sans-serif" font-size="12">`,
    '<title>turbo-beep and its references, side by side</title>',
    `<rect width="760" height="${height}" fill="#ffffff"/>`,
    `<text x="10" y="22" font-size="14" font-weight="bold" fill="#222">turbo-beep and its references, side by side</text>`,
    ...lines.map((line, index) => bars(line, TOP + index * ROW)),
    '</svg>\n',
  ].join('\n');
}

function bars(line: Line, y: number): string {
  const { ours, reference } = judge(line);
  const longest = Math.max(ours.max, reference?.max ?? 0);
  const x = (value: number) => LABEL + (value / longest) * BAR;
  const bar = (spread: typeof ours, at: number, colour: string, name: string) => {
    const middle = at + 6;
    return (
      `<rect x="${LABEL}" y="${at}" width="${fixed(x(spread.median) - LABEL)}" height="12" fill="${colour}"/>` +
      `<path d="M${fixed(x(spread.min))} ${middle} H${fixed(x(spread.max))}" stroke="#222"/>` +
      `<text x="${LABEL + BAR + 8}" y="${at + 10}" fill="#222">${spell(spread.median)} ${line.unit.name}</text>` +
      `<text x="${LABEL - 8}" y="${at + 10}" text-anchor="end" fill="#222">${escapeXml(name)}</text>`
    );
  };
  return (
    bar(ours, y, '#2f7d6b', line.what) +
    (reference ? bar(reference, y + 16, '#b9c4c9', line.reference?.name ?? '') : '')
  );
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');
}
