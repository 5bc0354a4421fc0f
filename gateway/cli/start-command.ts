// rosettamq start: launches the gateway, prints the banner, and ends with it. SIGTERM or SIGINT drains and exits 0, a
// second signal exits at once; a broken invariant ends the process with a clear message, as nothing it says could be
// trusted any more.
import type { Command } from 'commander';
import type { Logger as PinoLogger } from 'pino';
import { InvariantError } from '../../core/errors.ts';
import { DiskError } from '../../core/log/disk.ts';
import { JournalError } from '../../core/log/journal.ts';
import type { Config } from '../config/config.ts';
import type { Gateway } from '../launcher.ts';
import { CliError, EXIT } from './cli-error.ts';
import { addSettingOptions, configOf } from './setting-options.ts';

/** A bug of ours, and a log that failed (sysexits.h: EX_SOFTWARE, EX_IOERR). */
const EXIT_BUG = 70;
const EXIT_LOG_FAILED = 74;

/**
 * Ctrl-C reaches a process twice when npm runs it: from the terminal and from npm. A second signal is one that a person
 * had time to send.
 */
const SECOND_SIGNAL_MS = 300;

export function addStartCommand(program: Command): void {
  const start = program.command('start').description('run the broker');
  addSettingOptions(start).action(() => run(configOf(start).config));
}

async function run(config: Config): Promise<void> {
  const [
    { default: pino },
    { Gateway: Launcher, StartError },
    { BindError },
    { protocols },
    { openBroker },
    { bannerText },
  ] = await Promise.all([
    import('pino'),
    import('../launcher.ts'),
    import('../listeners.ts'),
    import('../adapters.ts'),
    import('../open-broker.ts'),
    import('../banner.ts'),
  ]);
  const log = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  crashClearly(log);
  // Nobody has to read the banner: a broker goes on where a command that lists something would end.
  process.stdout.removeAllListeners('error').on('error', () => undefined);

  const signals = new Signals();
  const died = (cause: Error): void => {
    log.fatal({ err: cause }, 'the broker cannot go on; the next start recovers');
    process.exit(EXIT_LOG_FAILED);
  };
  let gateway: Gateway;
  try {
    gateway = await Launcher.launch(config, { protocols, openBroker }, log, died);
  } catch (error) {
    if (error instanceof StartError || error instanceof BindError) throw new CliError(error.message);
    if (error instanceof DiskError) throw new CliError(diskText(error, config.dataDir));
    throw error;
  }
  process.stdout.write(bannerText(gateway));
  const signal = await signals.first;
  log.info({ signal }, 'stopping');
  try {
    await gateway.stop();
  } catch (error) {
    if (error instanceof JournalError) died(error);
    throw error;
  }
  log.info({}, 'stopped');
  process.exit(EXIT.done);
}

class Signals {
  /** The first signal that asks the process to end. */
  readonly first: Promise<NodeJS.Signals>;

  constructor() {
    this.first = new Promise((resolve) => {
      let firstAt = 0;
      const came = (signal: NodeJS.Signals): void => {
        if (firstAt === 0) {
          firstAt = performance.now();
          resolve(signal);
        } else if (performance.now() - firstAt >= SECOND_SIGNAL_MS) {
          process.stderr.write('rosettamq: second signal, ending at once; the next start recovers\n');
          process.exit(signal === 'SIGINT' ? 130 : 143);
        }
      };
      process.on('SIGTERM', came);
      process.on('SIGINT', came);
    });
  }
}

/** Whatever nobody caught is a bug: say so where a person sees it, and end. The log on disk is what counts. */
function crashClearly(log: PinoLogger): void {
  process.on('uncaughtException', (error) => {
    const what = error instanceof InvariantError ? error.message : 'an error that nobody expected';
    log.fatal({ err: error }, `bug in RosettaMQ: ${what}; the process ends, acknowledged messages are safe on disk`);
    process.exit(EXIT_BUG);
  });
}

function diskText(error: DiskError, dataDir: string): string {
  if (error.kind === 'locked') {
    return `the data directory ${error.message}.\nStop that process, or give this one a directory of its own with --data-dir.`;
  }
  return `the data directory ${dataDir} cannot be used: ${error.message}`;
}
