// The table of intended differences in a protocol's MAPPING.md, between marks, made from its rows and kept true.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './work.ts';

const END = '<!-- end of differences -->';

const mappingOf = (protocol: string): string => join(ROOT, `specs/${protocol}/MAPPING.md`);

/** The page with the table between its marks, at its end when it has none yet. */
function withTable(protocol: string, table: string, page: string): string {
  const begin = `<!-- differences: made by npm run oracle -- ${protocol} --table -->`;
  const section = `${begin}\n${table}\n${END}`;
  const at = page.indexOf(begin);
  if (at >= 0) return page.slice(0, at) + section + page.slice(page.indexOf(END) + END.length);
  return `${page.trimEnd()}\n\n## Differences from the protocol's own broker\n\nThe same tests run against both (\`npm run oracle -- ${protocol}\`); these answers differ, on purpose.\n\n${section}\n`;
}

export function isTableKept(protocol: string, table: string): boolean {
  const page = readFileSync(mappingOf(protocol), 'utf8');
  return withTable(protocol, table, page) === page;
}

export function keepTable(protocol: string, table: string): void {
  writeFileSync(mappingOf(protocol), withTable(protocol, table, readFileSync(mappingOf(protocol), 'utf8')));
}
