// Tables in mapping documents that are made from rows. Each stands between two comments that name who makes it.
import { readFileSync, writeFileSync } from 'node:fs';

export interface MadeTable {
  readonly page: URL;
  /** The comment that the table follows, and the one that it ends at. */
  readonly begin: string;
  readonly end: string;
  make(): string;
}

/** The page with its table replaced by the one made now. */
export function withTable(table: MadeTable, page: string): string {
  const begin = page.indexOf(table.begin);
  const end = page.indexOf(table.end);
  if (begin < 0 || end < begin) throw new Error(`${table.page.pathname} has no place for the table`);
  return page.slice(0, begin + table.begin.length) + table.make() + page.slice(end);
}

export function readPage(table: MadeTable): string {
  return readFileSync(table.page, 'utf8');
}

export function writePage(table: MadeTable): void {
  writeFileSync(table.page, withTable(table, readPage(table)));
}
