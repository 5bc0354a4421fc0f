// rosettamq user: add, list, delete. A password comes from the terminal, from stdin or from a file: arguments are
// visible to everybody on the machine.
import fs from 'node:fs';
import readline from 'node:readline';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { ApiClient, type ApiOptions, addApiOptions } from './api-client.ts';
import { CliError, EXIT } from './cli-error.ts';
import { isJson, printJson, printTable } from './print.ts';

export function addUserCommand(program: Command): void {
  const user = program.command('user').description('users (the first one switches authentication on)');

  const add = user
    .command('add')
    .description('create a user, or set its password; the first user may do everything')
    .argument('<name>', 'name of the user')
    .option('--admin', 'may do everything')
    .option(
      '--new-password-file <file>',
      'file whose first line is the new password (else asked for, or read from stdin)',
    );
  addApiOptions(add).action(
    async (name: string, options: ApiOptions & { admin?: boolean; newPasswordFile?: string }) => {
      const password = await newPassword(name, options.newPasswordFile);
      await new ApiClient(options).request('POST', ['users'], {}, { name, password, admin: options.admin === true });
      if (isJson(add)) return printJson({ name });
      process.stdout.write(
        `user ${name} is set; to let others than this machine in, restart with --bind-address 0.0.0.0\n`,
      );
    },
  );

  const list = user.command('list').description('list users');
  addApiOptions(list).action(async (options: ApiOptions) => {
    const { users } = (await new ApiClient(options).request('GET', ['users'])) as { users: { name: string }[] };
    if (isJson(list)) return printJson(users);
    printTable(
      ['NAME'],
      users.map(({ name }) => [name]),
      'no users: everybody on this machine may do everything',
    );
  });

  const remove = user.command('delete').description('delete a user').argument('<name>', 'name of the user');
  addApiOptions(remove).action(async (name: string, options: ApiOptions) => {
    await new ApiClient(options).request('DELETE', ['users', name]);
    if (isJson(remove)) return printJson({ deleted: name });
    process.stdout.write(`deleted ${name}\n`);
  });
}

async function newPassword(name: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return firstLineOf(fs.createReadStream(file), file);
  if (!process.stdin.isTTY) return firstLineOf(process.stdin, 'stdin');
  const first = await ask(`password for ${name}: `);
  if ((await ask('once more: ')) !== first)
    throw new CliError('the two passwords differ; nothing was changed', EXIT.usage);
  return first;
}

async function firstLineOf(stream: NodeJS.ReadableStream, what: string): Promise<string> {
  try {
    for await (const line of readline.createInterface({ input: stream })) return line;
  } catch (cause) {
    throw new CliError(`cannot read the password from ${what}: ${(cause as Error).message}`, EXIT.usage, { cause });
  }
  throw new CliError(`no password came from ${what}`, EXIT.usage);
}

/** Asks on the terminal without showing the answer. */
function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = readline.createInterface({ input: process.stdin, output: silence, terminal: true });
  return new Promise((resolve, reject) => {
    terminal.once('SIGINT', () => reject(new CliError('interrupted; nothing was changed')));
    terminal.question('', (answer) => resolve(answer));
  }).finally(() => {
    terminal.close();
    process.stderr.write('\n');
  }) as Promise<string>;
}
