// "Did you mean": the known name nearest to an unknown one, by edits (insert, delete, replace, swap of neighbours).

/** The nearest candidate, or null when none is near enough to be meant. Case counts half an edit. */
export function nearest(unknown: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(unknown.length / 3)) + 0.5;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - unknown.length) >= bestDistance) continue;
    let distance = editDistance(unknown.toLowerCase(), candidate.toLowerCase());
    if (distance === 0 && unknown !== candidate) distance = 0.5;
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
