// Aligned text for people; numbers to the right. A line never ends in spaces, so output can be compared and piped.

export type Cell = string | number | boolean | null;

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '-' : printable(String(cell)))));
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const widths = head.map((title, column) => Math.max(title.length, ...texts.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(head), ...texts.map(line)].join('\n') + '\n';
}

/** Characters that steer a terminal: controls, line and paragraph ends, changes of writing direction. */
const STEERING: readonly (readonly [from: number, to: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
];

/** Names come from clients: what would steer a terminal is shown as its escape. */
export function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, (character) => {
    const code = character.charCodeAt(0);
    return STEERING.some(([from, to]) => code >= from && code <= to)
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : character;
  });
}
