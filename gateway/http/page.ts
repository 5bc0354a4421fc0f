// Pages of lists: in order of name, behind `after`, at most `limit`.
import type { Call } from './operation.ts';

export function pageOf<T extends { readonly name: string }>(
  all: readonly T[],
  call: Call,
): { items: T[]; next: string | null } {
  const after = call.query['after'];
  const limit = Number(call.query['limit']);
  const behind = (typeof after === 'string' ? all.filter((item) => item.name > after) : [...all]).sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  );
  const items = behind.slice(0, limit);
  return { items, next: behind.length > limit ? items.at(-1)!.name : null };
}
