import { expect, it } from 'vitest';
import { readPage, withTable } from '../mapping-page.ts';
import { APIS } from './apis.ts';
import { apiTable } from './mapping-table.ts';
import { NOT_SERVED } from './not-served.ts';

it('the table in MAPPING.md is the one that the rows make (node specs/kafka/mapping-table.ts)', () => {
  const page = readPage(apiTable);
  expect(page).toBe(withTable(apiTable, page));
});

it('names every API that Kafka knows once', () => {
  const keys = [...APIS, ...NOT_SERVED].map(({ key }) => key).sort((a, b) => a - b);
  expect(keys).toEqual(Array.from({ length: 93 }, (_, key) => key));
});
