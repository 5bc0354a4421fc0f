// rosettamq group: list, describe with lag.
import type { Command } from 'commander';
import { ApiClient, type ApiOptions, addApiOptions } from './api-client.ts';
import { isJson, printFacts, printJson, printTable } from './print.ts';

interface Group {
  readonly name: string;
  readonly protocol: string;
  readonly members: number;
  readonly topics: readonly string[];
  readonly lag: number;
}

interface GroupDetail {
  readonly name: string;
  readonly namespace: string;
  readonly protocol: string;
  readonly generation: number;
  readonly lag: number;
  readonly members: readonly { id: string; clientId: string; host: string; topics: readonly string[] }[];
  readonly queues: readonly {
    topic: string;
    queue: number;
    committed: number;
    endOffset: number;
    lag: number;
    inFlight: number;
    consumers: number;
  }[];
}

export function addGroupCommand(program: Command): void {
  const group = program.command('group').description('consumer groups');

  const list = group.command('list').description('list groups with their lag');
  addApiOptions(list).action(async (options: ApiOptions) => {
    const groups = await new ApiClient(options).list<Group>('groups', 'groups', { namespace: options.namespace });
    if (isJson(list)) return printJson(groups);
    printTable(
      ['NAME', 'PROTOCOL', 'MEMBERS', 'LAG', 'TOPICS'],
      groups.map((g) => [g.name, g.protocol || null, g.members, g.lag, g.topics.join(',') || null]),
      'no groups',
    );
  });

  const describe = group
    .command('describe')
    .description('show a group, its members and its lag per queue')
    .argument('<name>', 'name of the group');
  addApiOptions(describe).action(async (name: string, options: ApiOptions) => {
    const query = { namespace: options.namespace };
    const found = (await new ApiClient(options).request('GET', ['groups', name], query)) as GroupDetail;
    if (isJson(describe)) return printJson(found);
    printFacts([
      ['name', found.name],
      ['namespace', found.namespace],
      ['protocol', found.protocol || null],
      ['generation', found.generation],
      ['lag', found.lag],
    ]);
    process.stdout.write('\n');
    printTable(
      ['MEMBER', 'CLIENT', 'HOST', 'TOPICS'],
      found.members.map((m) => [m.id, m.clientId, m.host, m.topics.join(',') || null]),
      'no members',
    );
    process.stdout.write('\n');
    printTable(
      ['TOPIC', 'QUEUE', 'COMMITTED', 'END', 'LAG', 'IN FLIGHT', 'CONSUMERS'],
      found.queues.map((q) => [q.topic, q.queue, q.committed, q.endOffset, q.lag, q.inFlight, q.consumers]),
      'no committed offsets',
    );
  });
}
