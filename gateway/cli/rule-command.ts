// rosettamq rule: list, add, delete. Any denial that matches wins; what no rule allows is denied once a user exists.
import { type Command, Option } from 'commander';
import { ApiClient, type ApiOptions, addApiOptions } from './api-client.ts';
import { isJson, printJson, printTable } from './print.ts';

interface Rule {
  readonly id: string;
  readonly user: string;
  readonly allow: boolean;
  readonly actions: readonly string[];
  readonly resource: string;
  readonly namespace: string;
  readonly pattern: string;
}

interface RuleOptions extends ApiOptions {
  readonly id?: string;
  readonly deny?: boolean;
  readonly action: readonly string[];
  readonly resource: string;
  readonly pattern: string;
}

export function addRuleCommand(program: Command): void {
  const rule = program.command('rule').description('access rules');

  const list = rule.command('list').description('list access rules');
  addApiOptions(list).action(async (options: ApiOptions) => {
    const { rules } = (await new ApiClient(options).request('GET', ['rules'])) as { rules: Rule[] };
    if (isJson(list)) return printJson(rules);
    printTable(
      ['ID', 'USER', 'DECISION', 'ACTIONS', 'RESOURCE', 'NAMESPACE', 'PATTERN'],
      rules.map((r) => [
        r.id,
        r.user,
        r.allow ? 'allow' : 'deny',
        r.actions.join(','),
        r.resource,
        r.namespace || null,
        r.pattern,
      ]),
      'no rules',
    );
  });

  const add = rule
    .command('add')
    .description('allow (or deny) a user something')
    .argument('<user>', 'user it is about')
    .addOption(
      new Option('--action <action...>', 'what may be done')
        .choices(['publish', 'consume', 'create', 'update', 'delete', 'describe'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--resource <kind>', 'to what').choices(['topic', 'group', 'namespace', 'cluster']).default('topic'),
    )
    .option('--pattern <name>', 'its name, or a prefix ending in *', '*')
    .option('--deny', 'deny instead; a denial wins over all that is allowed')
    .option('--id <id>', 'name of the rule, to replace or delete it later (default: made from the rest)');
  addApiOptions(add).action(async (user: string, options: RuleOptions) => {
    const { action, resource, pattern, namespace = 'default' } = options;
    const allow = options.deny !== true;
    const id = options.id ?? [user, allow ? 'allow' : 'deny', resource, namespace, pattern].join(':');
    const body: Rule = { id, user, allow, actions: [...new Set(action)], resource, namespace, pattern };
    const made = await new ApiClient(options).request('POST', ['rules'], {}, body);
    if (isJson(add)) return printJson(made);
    process.stdout.write(`rule ${id} is in force\n`);
  });

  const remove = rule.command('delete').description('delete an access rule').argument('<id>', 'id of the rule');
  addApiOptions(remove).action(async (id: string, options: ApiOptions) => {
    await new ApiClient(options).request('DELETE', ['rules', id]);
    if (isJson(remove)) return printJson({ deleted: id });
    process.stdout.write(`deleted ${id}\n`);
  });
}
