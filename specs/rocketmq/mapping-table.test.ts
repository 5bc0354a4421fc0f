import { expect, it } from 'vitest';
import { readPage, withTable } from '../mapping-page.ts';
import { requestTable } from './mapping-table.ts';

it('the table in MAPPING.md is the one that the rows make (node specs/rocketmq/mapping-table.ts)', () => {
  const page = readPage(requestTable);
  expect(page).toBe(withTable(requestTable, page));
});
