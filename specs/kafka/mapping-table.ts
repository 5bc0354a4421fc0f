// The table of APIs in MAPPING.md, made from the rows. Run it to bring the page up to date:
//
//   node specs/kafka/mapping-table.ts

import { type MadeTable, writePage } from '../mapping-page.ts';
import { APIS } from './apis.ts';
import { NOT_SERVED } from './not-served.ts';
import type { Api } from './row.ts';

const STATES = { later: 'later', 'between brokers': 'not for clients' } as const;

function versionsOf({ min, max }: Api): string {
  return min === max ? String(min) : `${min}-${max}`;
}

function noteOf({ served, min }: Api): string {
  return served === undefined ? '' : `${served} and up are served, ${min} is named for the sake of clients`;
}

export const apiTable: MadeTable = {
  page: new URL('./MAPPING.md', import.meta.url),
  begin: '<!-- APIs: made by mapping-table.ts -->\n',
  end: '<!-- end of APIs -->',
  make() {
    const rows: [key: number, line: string][] = [
      ...APIS.map((api): [number, string] => [api.key, `${api.name} | ${versionsOf(api)} | served | ${noteOf(api)}`]),
      ...NOT_SERVED.map(({ key, name, state, note }): [number, string] => [
        key,
        `${name} | – | ${STATES[state]} | ${note}`,
      ]),
    ];
    rows.sort(([a], [b]) => a - b);
    const lines = rows.map(([key, line]) => `| ${key} | ${line} |`);
    return ['| key | API | versions | state | note |', '|---|---|---|---|---|', ...lines, ''].join('\n');
  },
};

if (import.meta.main) writePage(apiTable);
