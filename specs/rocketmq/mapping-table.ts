// The table of requests in MAPPING.md, made from the rows. Run it to bring the page up to date:
//
//   node specs/rocketmq/mapping-table.ts

import { readFileSync, writeFileSync } from 'node:fs';
import { REQUESTS, type RequestRow } from './requests.ts';

const PAGE = new URL('./MAPPING.md', import.meta.url);
const BEGIN = '<!-- requests: made by mapping-table.ts -->\n';
const END = '<!-- end of requests -->';

const STATES = {
  served: 'served',
  refused: 'refused',
  client: 'sent by brokers only',
  unknown: 'answered 3',
} as const satisfies Record<RequestRow['state'], string>;

function requestTable(): string {
  const rows = [...REQUESTS].sort((a, b) => a.code - b.code);
  const lines = rows.map((row) => `| ${row.code} | ${row.name} | ${STATES[row.state]} | ${row.note} |`);
  return ['| code | request | here | note |', '|---|---|---|---|', ...lines, ''].join('\n');
}

/** The page with its table replaced by the one made now. */
export function withTable(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('MAPPING.md has no place for the table');
  return page.slice(0, begin + BEGIN.length) + requestTable() + page.slice(end);
}

export function readPage(): string {
  return readFileSync(PAGE, 'utf8');
}

if (import.meta.main) writeFileSync(PAGE, withTable(readPage()));
