// The command line: what the process was asked to do, done, and its exit code. The one place that reads argv. Heavy
// parts (the broker, the HTTP server) are loaded by the command that needs them.
import { Command, CommanderError } from 'commander';
import { CliError, EXIT } from './cli/cli-error.ts';
import { addConfigCommand } from './cli/config-command.ts';
import { addGroupCommand } from './cli/group-command.ts';
import { addInspectCommand } from './cli/inspect-command.ts';
import { addRuleCommand } from './cli/rule-command.ts';
import { addStartCommand } from './cli/start-command.ts';
import { addTopicCommand } from './cli/topic-command.ts';
import { addUserCommand } from './cli/user-command.ts';
import { ConfigError } from './config/load.ts';
import { VERSION } from './status.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 broker not reached.`;

const program = new Command('rosettamq')
  .description('One log, every queue protocol: a message broker for RocketMQ, Kafka, AMQP 0-9-1 and HTTP clients.')
  .version(VERSION, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print help')
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText('after', EXIT_CODES)
  .exitOverride();

addStartCommand(program);
addConfigCommand(program);
addInspectCommand(program);
addTopicCommand(program);
addGroupCommand(program);
addUserCommand(program);
addRuleCommand(program);

// A reader that goes away (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ConfigError) {
    process.stderr.write(`rosettamq: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof CliError) {
    process.stderr.write(`rosettamq: ${error.message}\n`);
    return error.exitCode;
  }
  throw error;
}
