// Tags: the hash by which queues are filtered, and subscription expressions.
//
// The hash is Java's String.hashCode, because clients compute it themselves (`codeSet`) and check the text again on
// their side; so a filter here may let a colliding tag pass, never hold back a fitting one.

import { TAG_MIXED, TAG_NONE } from '../../core/types.ts';

/** `TAG_NONE` for no tag. */
export function tagHash(tag: string | null): number {
  if (tag === null || tag === '') return TAG_NONE;
  let hash = 0;
  for (let i = 0; i < tag.length; i++) hash = (Math.imul(hash, 31) + tag.charCodeAt(i)) | 0;
  return hash;
}

/** The hash for a unit of several records: theirs when they agree, else TAG_MIXED. */
export function joinHashes(joined: number, next: number, first: boolean): number {
  return first || joined === next ? next : TAG_MIXED;
}

/** Tags in one expression; more are refused. */
const TAGS_MAX = 1024;

/**
 * Reads `*`, `a`, `a || b`: the hashes that pass, or null when everything does. Throws RangeError on too many tags.
 */
export function parseTagExpression(expression: string): ReadonlySet<number> | null {
  const text = expression.trim();
  if (text === '' || text === '*') return null;
  const hashes = new Set<number>();
  for (const part of text.split('||')) {
    const tag = part.trim();
    if (tag === '') continue;
    hashes.add(tagHash(tag));
    if (hashes.size > TAGS_MAX) throw new RangeError(`more than ${TAGS_MAX} tags in one subscription`);
  }
  return hashes.size === 0 ? null : hashes;
}
