/**
 * Users' SCRAM credentials: told to the exchange that checks them, made and removed by clients that hash for themselves.
 * What one request changes for a user is one entry, so the first user of a broker gets all its mechanisms at once.
 */
import type { Shard } from './shard.ts';
import { Access } from './state/access.ts';
import type { StateEvent } from './state/events.ts';
import { SCRAM_KINDS, scramKeysOfSalted } from './state/scram.ts';
import type { Action, Principal, ResourceKind } from './types.ts';
import type { SaltedPassword, ScramKeys, ScramMechanism, ScramUser, ScramVerbs } from './verbs.ts';

type Authorise = (
  principal: Principal,
  action: Action,
  resource: ResourceKind,
  namespace: string,
  name: string,
) => void;

export class ScramUsers implements ScramVerbs {
  private readonly shard: Shard;
  private readonly authorise: Authorise;

  constructor(shard: Shard, authorise: Authorise) {
    this.shard = shard;
    this.authorise = authorise;
  }

  keys(name: string, mechanism: ScramMechanism): ScramKeys | null {
    return this.shard.tables.access.scram(name, mechanism);
  }

  list(principal: Principal): ScramUser[] {
    this.authorise(principal, 'describe', 'cluster', '', '');
    const { access } = this.shard.tables;
    return access.users().flatMap(({ name }) =>
      SCRAM_KINDS.flatMap((mechanism) => {
        const keys = access.scram(name, mechanism);
        return keys === null ? [] : [{ name, mechanism, iterations: keys.iterations }];
      }),
    );
  }

  async alter(
    principal: Principal,
    name: string,
    removals: readonly ScramMechanism[],
    passwords: readonly SaltedPassword[],
  ): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    // What is put comes first: a user that changes from one mechanism to another is never without any.
    const events: StateEvent[] = passwords.map(({ mechanism, salted, salt, iterations }) => ({
      k: 'credential',
      row: Access.scramCredential(name, scramKeysOfSalted(mechanism, salted, salt, iterations)),
    }));
    for (const kind of removals) events.push({ k: 'credential-gone', user: name, kind });
    if (events.length > 0) await this.shard.change(events);
  }
}
