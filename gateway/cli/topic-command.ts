// rosettamq topic: list, create, describe, delete.
import type { Command } from 'commander';
import { ApiClient, type ApiOptions, addApiOptions } from './api-client.ts';
import { wholeNumber } from './options.ts';
import { isJson, printFacts, printJson, printTable } from './print.ts';

interface Retention {
  readonly mode: 'log' | 'consumed';
  readonly timeMs?: number;
  readonly bytes?: number;
}

interface Topic {
  readonly name: string;
  readonly kind: string;
  readonly queues: number;
  readonly flush: string;
  readonly retention: Retention;
}

interface TopicDetail {
  readonly name: string;
  readonly namespace: string;
  readonly kind: string;
  readonly uuid: string;
  readonly attributes: { flush: string; retention: Retention; messageBytesMax: number; extra: Record<string, string> };
  readonly queues: readonly {
    id: number;
    startOffset: number;
    endOffset: number;
    stableOffset: number;
    messages: number;
    ready?: number;
    inFlight?: number;
    consumers?: number;
  }[];
}

export function addTopicCommand(program: Command): void {
  const topic = program.command('topic').description('topics');

  const list = topic.command('list').description('list topics').option('--all', 'retry and dead-letter topics too');
  addApiOptions(list).action(async (options: ApiOptions & { all?: boolean }) => {
    const query = { namespace: options.namespace, all: options.all ? 'true' : undefined };
    const topics = await new ApiClient(options).list<Topic>('topics', 'topics', query);
    if (isJson(list)) return printJson(topics);
    printTable(
      ['NAME', 'KIND', 'QUEUES', 'FLUSH', 'RETENTION'],
      topics.map((t) => [t.name, t.kind, t.queues, t.flush, retentionText(t.retention)]),
      'no topics',
    );
  });

  const create = topic
    .command('create')
    .description('create a topic')
    .argument('<name>', 'name of the topic')
    .option('--kind <topic|queue>', 'topic: kept by time and size; queue: kept until consumed (default: topic)')
    .option('--queues <number>', 'queues (partitions) of a topic (default: 4)', wholeNumber)
    .option('--flush <sync|async>', 'when a message is acknowledged (default: as the broker)')
    .option('--retention-ms <ms>', 'keep messages so long, -1 for ever', wholeNumber)
    .option('--retention-bytes <bytes>', 'keep up to so many bytes, -1 without limit', wholeNumber);
  addApiOptions(create).action(
    async (
      name: string,
      options: ApiOptions & {
        kind?: string;
        queues?: number;
        flush?: string;
        retentionMs?: number;
        retentionBytes?: number;
      },
    ) => {
      const { namespace, kind, queues, flush, retentionMs, retentionBytes } = options;
      const retention =
        retentionMs === undefined && retentionBytes === undefined
          ? undefined
          : { mode: 'log', timeMs: retentionMs ?? -1, bytes: retentionBytes ?? -1 };
      const body = { name, namespace, kind, queues, attributes: { flush, retention } };
      const made = (await new ApiClient(options).request('POST', ['topics'], {}, body)) as TopicDetail;
      if (isJson(create)) return printJson(made);
      process.stdout.write(`created ${made.kind} ${made.name} with ${made.queues.length} queue(s)\n`);
    },
  );

  const describe = topic
    .command('describe')
    .description('show a topic and the offsets of its queues')
    .argument('<name>', 'name of the topic')
    .option('--kind <kind>', 'topic, queue, retry or dead-letter (the last two by the name of their group)');
  addApiOptions(describe).action(async (name: string, options: ApiOptions & { kind?: string }) => {
    const query = { namespace: options.namespace, kind: options.kind };
    const found = (await new ApiClient(options).request('GET', ['topics', name], query)) as TopicDetail;
    if (isJson(describe)) return printJson(found);
    printFacts([
      ['name', found.name],
      ['namespace', found.namespace],
      ['kind', found.kind],
      ['uuid', found.uuid],
      ['flush', found.attributes.flush],
      ['retention', retentionText(found.attributes.retention)],
      ['largest message', `${found.attributes.messageBytesMax} bytes`],
      ...Object.entries(found.attributes.extra),
    ]);
    process.stdout.write('\n');
    if (found.kind === 'queue') {
      printTable(
        ['READY', 'IN FLIGHT', 'CONSUMERS', 'START', 'END'],
        found.queues.map((q) => [q.ready ?? 0, q.inFlight ?? 0, q.consumers ?? 0, q.startOffset, q.endOffset]),
        'no queue',
      );
      return;
    }
    printTable(
      ['QUEUE', 'START', 'END', 'STABLE', 'MESSAGES'],
      found.queues.map((q) => [q.id, q.startOffset, q.endOffset, q.stableOffset, q.messages]),
      'no queues',
    );
  });

  const remove = topic
    .command('delete')
    .description('delete a topic with all its messages')
    .argument('<name>', 'name of the topic');
  addApiOptions(remove).action(async (name: string, options: ApiOptions) => {
    await new ApiClient(options).request('DELETE', ['topics', name], { namespace: options.namespace });
    if (isJson(remove)) return printJson({ deleted: name });
    process.stdout.write(`deleted ${name}\n`);
  });
}

const UNITS_MS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

function retentionText({ mode, timeMs = -1, bytes = -1 }: Retention): string {
  if (mode === 'consumed') return 'until consumed';
  const unit = UNITS_MS.find(([, ms]) => timeMs >= ms && timeMs % ms === 0);
  const time = timeMs < 0 ? 'for ever' : unit === undefined ? `${timeMs} ms` : `${timeMs / unit[1]} ${unit[0]}`;
  return bytes < 0 ? time : `${time}, ${bytes} bytes`;
}
