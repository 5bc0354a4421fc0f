/**
 * Guards the house: who may import whom, no protocol's name in the core, no file that nobody uses (knip, in `npm run
 * check`), generated files as their generator makes them, no long files without a reason. Each ban says what to do
 * instead.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

function sources(): string[] {
  return execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)));
}

const files = sources();
const text = new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));

interface Import {
  from: string;
  /** Path in the tree, or the package's name. */
  to: string;
  local: boolean;
}

function importsOf(path: string): Import[] {
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g;
  for (const match of text.get(path)!.matchAll(pattern)) {
    const target = (match[1] ?? match[2] ?? match[3])!;
    const local = target.startsWith('.');
    found.push({ from: path, to: local ? relative(root, join(root, dirname(path), target)) : target, local });
  }
  return found;
}

const isTest = (path: string): boolean =>
  path.endsWith('.test.ts') || path.includes('/testing/') || path.includes('/bench/');
const product = files.filter((path) => !isTest(path));
const imports = product.flatMap(importsOf);

function breaks(prefix: string, allowed: (target: Import) => boolean): string[] {
  return imports
    .filter((row) => row.from.startsWith(prefix) && !allowed(row))
    .map((row) => `${row.from} imports ${row.to}`);
}

const PROTOCOLS = ['rocketmq', 'kafka', 'amqp', 'http'];
const CONTRACT = ['core/types.ts', 'core/errors.ts', 'core/verbs.ts', 'adapters/adapter.ts'];

describe('imports', () => {
  it('of the core are node: and the core; pass in what else it needs', () => {
    expect(breaks('core/', ({ to, local }) => (local ? to.startsWith('core/') : to.startsWith('node:')))).toEqual([]);
  });

  it('of the wire are node: and the wire', () => {
    expect(
      breaks('adapters/wire/', ({ to, local }) => (local ? to.startsWith('adapters/wire/') : to.startsWith('node:'))),
    ).toEqual([]);
  });

  for (const protocol of PROTOCOLS) {
    it(`of the ${protocol} adapter are the contract, the wire, its own specs and packages; never another adapter, never the gateway`, () => {
      const mine = `adapters/${protocol}/`;
      expect(
        breaks(
          mine,
          ({ to, local }) =>
            !local ||
            to.startsWith(mine) ||
            to.startsWith('adapters/wire/') ||
            to.startsWith(`specs/${protocol}/`) ||
            CONTRACT.includes(to),
        ),
      ).toEqual([]);
    });
  }

  it('of the specs are the specs', () => {
    expect(
      breaks('specs/', ({ to, local }) => (local ? to.startsWith('specs/') || to.startsWith('adapters/') : true)),
    ).toEqual([]);
  });

  it('of the compatibility tests reach the product over the network only', () => {
    const inside = files
      .filter((path) => path.startsWith('compat-tests/'))
      .flatMap(importsOf)
      .filter(({ to, local }) => local && /^(core|adapters|gateway)\//.test(to))
      .map(({ from, to }) => `${from} imports ${to}`);
    expect(inside).toEqual([]);
  });

  it('of sockets, files and the process stand in the gateway alone', () => {
    const outside = imports.filter(
      ({ from, to }) =>
        /^(core|adapters)\//.test(from) &&
        [
          'node:net',
          'node:tls',
          'node:fs',
          'node:fs/promises',
          'node:http',
          'node:process',
          'node:worker_threads',
        ].includes(to),
    );
    expect(outside.map(({ from, to }) => `${from} imports ${to}: take a stream, a Disk or a Clock instead`)).toEqual(
      [],
    );
  });
});

describe('the core', () => {
  it('names no protocol', () => {
    const named = product
      .filter((path) => path.startsWith('core/'))
      .flatMap((path) =>
        text
          .get(path)!
          .split('\n')
          .map((line, n) => ({ line, at: `${path}:${n + 1}` }))
          // RocketMQ's nouns are the core's language, and the project's own name holds one; comments may cite a source.
          .filter(({ line }) => /kafka|amqp|rabbit|mqtt/i.test(line.replace(/^\s*(\*|\/\/|\/\*\*).*$/, ''))),
      );
    expect(named.map(({ at, line }) => `${at} ${line.trim()}: use the core's own noun`)).toEqual([]);
  });

  it('reads no clock and no random number of its own', () => {
    const own = product.filter(
      (path) => path.startsWith('core/') && /\bDate\.now\(|\bMath\.random\(|new Date\(\)/.test(text.get(path)!),
    );
    expect(own.map((path) => `${path}: take the passed Clock or Random`)).toEqual([]);
  });
});

describe('files', () => {
  it('stay readable: what grows past 600 lines has a second noun in it', () => {
    const long = product.filter((path) => !path.includes('/generated/') && text.get(path)!.split('\n').length > 600);
    expect(long).toEqual([]);
  });

  it('have names that say what they are', () => {
    const vague = product.filter((path) => /(^|\/)(utils?|helpers?|common|misc|manager)\.ts$/i.test(path));
    expect(vague).toEqual([]);
  });

  it('at the top are those of the design', () => {
    const folders = readdirSync(root, { withFileTypes: true })
      .filter(
        (entry) =>
          entry.isDirectory() &&
          !entry.name.startsWith('.') &&
          !['node_modules', 'data', 'coverage'].includes(entry.name),
      )
      .map((entry) => entry.name);
    for (const folder of folders)
      expect(['gateway', 'core', 'adapters', 'specs', 'compat-tests', 'helm']).toContain(folder);
  });

  it('say nothing of the machine they were written on', () => {
    const paths = /\/work\/|\/root\/|\/tmp\/bash/;
    expect(files.filter((path) => path !== 'specs/style.test.ts' && paths.test(text.get(path)!))).toEqual([]);
  });
});
