// node:test without the promises that its functions return and nobody awaits at the top of a file.
import * as node from 'node:test';

export const test = (name: string, body: (t: node.TestContext) => void | Promise<void>): void => {
  void node.test(name, body);
};

export const describe = (name: string, body: () => void): void => {
  void node.describe(name, body);
};

export const { before, after } = node;
