// The table of requests in MAPPING.md, made from the rows. Run it to bring the page up to date:
//
//   node specs/rocketmq/mapping-table.ts

import { type MadeTable, writePage } from '../mapping-page.ts';
import { REQUESTS, type RequestRow } from './requests.ts';

const STATES = {
  served: 'served',
  refused: 'refused',
  client: 'sent by brokers only',
  unknown: 'answered 3',
} as const satisfies Record<RequestRow['state'], string>;

export const requestTable: MadeTable = {
  page: new URL('./MAPPING.md', import.meta.url),
  begin: '<!-- requests: made by mapping-table.ts -->\n',
  end: '<!-- end of requests -->',
  make() {
    const rows = [...REQUESTS].sort((a, b) => a.code - b.code);
    const lines = rows.map((row) => `| ${row.code} | ${row.name} | ${STATES[row.state]} | ${row.note} |`);
    return ['| code | request | here | note |', '|---|---|---|---|', ...lines, ''].join('\n');
  },
};

if (import.meta.main) writePage(requestTable);
