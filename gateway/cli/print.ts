// Output of the commands: JSON on demand, else aligned text.
import type { Command } from 'commander';
import { type Cell, printable, table } from './table.ts';

export function isJson(command: Command): boolean {
  return command.opts<{ json?: boolean }>().json === true;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Rows, or a sentence when there are none. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[], none: string): void {
  process.stdout.write(rows.length === 0 ? `${none}\n` : table(head, rows));
}

/** Facts above a table: "name  orders". */
export function printFacts(facts: readonly (readonly [name: string, value: Cell])[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value ?? '-'))}`.trimEnd());
  process.stdout.write(`${lines.join('\n')}\n`);
}
