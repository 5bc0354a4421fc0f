// What checkers of histories find, as a failure's text.

/** The findings by kind, the first five of each in full. */
export function report(findings: readonly { readonly kind: string; readonly detail: string }[]): string {
  return [...Map.groupBy(findings, (one) => one.kind)]
    .map(([kind, all]) => [`${kind} × ${all.length}:`, ...all.slice(0, 5).map((one) => `  ${one.detail}`)].join('\n'))
    .join('\n');
}
