// /api/v1/users and /api/v1/rules: who may do what. Invariant: nobody is locked out by the first user, who comes with a
// rule that allows everything; and the last user stays while anybody from outside can reach a listener.
import { BrokerError } from '../../core/errors.ts';
import type { AccessRule, Action, ResourceKind } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import type { Handler } from './operation.ts';

const ACTIONS: readonly Action[] = ['publish', 'consume', 'create', 'update', 'delete', 'describe'];
const RESOURCES: readonly ResourceKind[] = ['cluster', 'namespace', 'topic', 'group'];

interface UserCreation {
  readonly name: string;
  readonly password: string;
  readonly admin: boolean;
}

export interface AccessOptions {
  readonly broker: Verbs;
  /** True while some listener is bound to more than loopback and this was not asked for with `insecure`. */
  readonly needsUser: () => boolean;
}

export function accessHandlers({ broker, needsUser }: AccessOptions): Record<string, Handler> {
  return {
    listUsers: ({ principal }) => ({ users: broker.users(principal).map(({ name }) => ({ name })) }),
    createUser: async ({ principal, body }) => {
      const { name, password, admin } = body as UserCreation;
      // The rules first: with a user and no rule, nobody could ever do anything again.
      if (admin || !broker.secured) {
        for (const rule of everything(name)) await broker.putRule(principal, rule);
      }
      await broker.putUser(principal, name, password);
      return { name };
    },
    deleteUser: async ({ principal, params }) => {
      const name = params['name']!;
      const users = broker.users(principal);
      if (users.length === 1 && users[0]?.name === name && needsUser()) {
        throw new BrokerError(
          'in-use',
          `"${name}" is the last user, and listeners are bound beyond loopback: without a user everybody would be let in. Add another user first, or restart with bindAddress 127.0.0.1.`,
        );
      }
      await broker.deleteUser(principal, name);
    },
    listRules: ({ principal }) => ({ rules: broker.rules(principal) }),
    putRule: async ({ principal, body }) => {
      await broker.putRule(principal, body as AccessRule);
      return body;
    },
    deleteRule: ({ principal, params }) => broker.deleteRule(principal, params['name']!),
  };
}

/** The namespace `*` stands for all of them; the cluster lies in none. */
function everything(user: string): AccessRule[] {
  return RESOURCES.map((resource) => ({
    id: `admin:${user}:${resource}`,
    user,
    allow: true,
    actions: ACTIONS,
    resource,
    namespace: resource === 'cluster' ? '' : '*',
    pattern: '*',
  }));
}
