// rosettamq inspect: prints a data directory readably, without taking its lock: it may be in use, or be a copy.
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { CliError } from './cli-error.ts';
import { wholeNumber } from './options.ts';
import { addSettingOptions, configOf } from './setting-options.ts';
import { printable } from './table.ts';

interface InspectFlags {
  readonly from?: number;
  readonly max?: number;
}

export function addInspectCommand(program: Command): void {
  const command = program
    .command('inspect')
    .description('print a data directory: manifests, segments, indexes and, from a position on, entries')
    .argument('[directory]', 'data directory (default: the configured one)');
  addSettingOptions(command, (setting) => setting.key === 'dataDir')
    .optionsGroup('Options:')
    .option(
      '--from <position>',
      'print entries one by one from this position of the log on (0: from the first)',
      wholeNumber,
    )
    .option('--max <number>', 'print at most so many entries (default: 100)', wholeNumber)
    .action(async (directory: string | undefined, flags: InspectFlags) => {
      const root = path.resolve(directory ?? configOf(command).config.dataDir);
      if (!fs.existsSync(root))
        throw new CliError(`there is no directory ${root}; name one: rosettamq inspect DIRECTORY`);
      await print(root, flags);
    });
}

async function print(root: string, { from, max }: InspectFlags): Promise<void> {
  const [{ inspect }, { FileDisk }, { crc32c }] = await Promise.all([
    import('../../core/log/inspect.ts'),
    import('../system/file-disk.ts'),
    import('../system/crc32c.ts'),
  ]);
  const lines = inspect({
    disk: new FileDisk(root),
    crc: crc32c,
    // Asking for a number of entries is asking for entries.
    ...((from !== undefined || max !== undefined) && { entriesFrom: from ?? 0 }),
    ...(max !== undefined && { entriesMax: max }),
  });
  for (const line of lines) {
    if (!process.stdout.write(`${printable(line)}\n`)) await once(process.stdout, 'drain');
  }
}
