/**
 * The rules of one user, compiled for the check that every verb makes: a few look-ups and no allocation, whatever the
 * number of rules.
 *
 * Invariants: allows(…) is what the rules say one by one: some ALLOW matches and no DENY does. A pattern ending in '*'
 * is a prefix, every other one a name. The namespace '*' stands for all; the cluster lies in no namespace.
 */
import type { AccessRule, Action, Principal, ResourceKind, Topic, TopicKind } from '../types.ts';

const ACTION_INDEX: Readonly<Record<Action, number>> = {
  publish: 0,
  consume: 1,
  create: 2,
  update: 3,
  delete: 4,
  describe: 5,
};
const RESOURCE_INDEX: Readonly<Record<ResourceKind, number>> = { namespace: 0, topic: 6, group: 12, cluster: 18 };

const ANY_NAMESPACE = '*';

/** The right that an action on a topic takes. Topics of retries and dead letters go with the group whose name they bear. */
export function rightOn(kind: TopicKind, action: Action): { action: Action; resource: ResourceKind } {
  if (kind !== 'retry' && kind !== 'dead-letter') return ON_TOPIC[action];
  return action === 'publish' || action === 'create' ? ON_GROUP.consume : ON_GROUP[action];
}

const onAll = (resource: ResourceKind): Readonly<Record<Action, { action: Action; resource: ResourceKind }>> => ({
  publish: { action: 'publish', resource },
  consume: { action: 'consume', resource },
  create: { action: 'create', resource },
  update: { action: 'update', resource },
  delete: { action: 'delete', resource },
  describe: { action: 'describe', resource },
});
const ON_TOPIC = onAll('topic');
const ON_GROUP = onAll('group');

export function matches(
  rule: AccessRule,
  action: Action,
  resource: ResourceKind,
  namespace: string,
  name: string,
): boolean {
  return (
    rule.resource === resource &&
    rule.actions.includes(action) &&
    (resource === 'cluster' || rule.namespace === namespace || rule.namespace === ANY_NAMESPACE) &&
    (rule.pattern.endsWith('*') ? name.startsWith(rule.pattern.slice(0, -1)) : name === rule.pattern)
  );
}

interface Authorises {
  authorise(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): void;
}

/** Throws access-denied when the principal has not the right that the action on this topic takes. */
export function authoriseOn(by: Authorises, principal: Principal, action: Action, topic: Topic): void {
  const right = rightOn(topic.kind, action);
  by.authorise(principal, right.action, right.resource, topic.namespace, topic.name);
}

export class Rights {
  /** By resource and action, then by namespace. */
  private readonly allowed: (Map<string, Patterns> | undefined)[] = [];
  private readonly denied: (Map<string, Patterns> | undefined)[] = [];

  constructor(rules: Iterable<AccessRule>) {
    for (const rule of rules) {
      const table = rule.allow ? this.allowed : this.denied;
      const namespace = rule.resource === 'cluster' ? ANY_NAMESPACE : rule.namespace;
      for (const action of rule.actions) {
        const byNamespace = (table[RESOURCE_INDEX[rule.resource] + ACTION_INDEX[action]] ??= new Map());
        let patterns = byNamespace.get(namespace);
        if (patterns === undefined) byNamespace.set(namespace, (patterns = new Patterns()));
        patterns.add(rule.pattern);
      }
    }
    for (const table of [this.allowed, this.denied])
      for (const byNamespace of table) for (const patterns of byNamespace?.values() ?? []) patterns.compile();
  }

  allows(action: Action, resource: ResourceKind, namespace: string, name: string): boolean {
    const index = RESOURCE_INDEX[resource] + ACTION_INDEX[action];
    return has(this.allowed[index], namespace, name) && !has(this.denied[index], namespace, name);
  }

  /** Whether some rule allows it on anything of the kind; what is denied again is not looked at. */
  allowsSome(action: Action, resource: ResourceKind): boolean {
    return this.allowed[RESOURCE_INDEX[resource] + ACTION_INDEX[action]] !== undefined;
  }
}

function has(byNamespace: Map<string, Patterns> | undefined, namespace: string, name: string): boolean {
  if (byNamespace === undefined) return false;
  return byNamespace.get(namespace)?.has(name) === true || byNamespace.get(ANY_NAMESPACE)?.has(name) === true;
}

class Patterns {
  private readonly names = new Set<string>();
  /** Sorted; after compile none begins with another one. */
  private prefixes: string[] = [];

  add(pattern: string): void {
    if (pattern.endsWith('*')) this.prefixes.push(pattern.slice(0, -1));
    else this.names.add(pattern);
  }

  compile(): void {
    const shortest: string[] = [];
    for (const prefix of this.prefixes.sort(byUnits)) {
      const last = shortest[shortest.length - 1];
      if (last === undefined || !prefix.startsWith(last)) shortest.push(prefix);
    }
    this.prefixes = shortest;
  }

  has(name: string): boolean {
    if (this.names.has(name)) return true;
    // Only the last prefix that is not above the name can begin it: one between the two would begin with that prefix.
    let low = 0;
    let high = this.prefixes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.prefixes[middle]! <= name) low = middle + 1;
      else high = middle;
    }
    return low > 0 && name.startsWith(this.prefixes[low - 1]!);
  }
}

/** By UTF-16 units, as `<=` compares. */
function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
