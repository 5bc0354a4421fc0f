// 201 GET_ALL_SUBSCRIPTIONGROUP_CONFIG: the configuration of every group, for tools.

import type { RequestHandler } from '../dispatch.ts';
import { groupConfig, groupConfigJson } from '../group-config.ts';
import { type Json, rawJson } from '../json-body.ts';
import { wireGroupOf } from '../look-up.ts';

/** Bit of a forbidden topic that says it may not be read. */
const READ_FORBIDDEN = 1;

export const getAllSubscriptionGroupConfig: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const subscriptionGroupTable: Record<string, Json> = {};
  const forbiddenTable: Record<string, Json> = {};
  for (const group of broker.groups(principal, node.namespace)) {
    const name = wireGroupOf(group);
    subscriptionGroupTable[name] = groupConfigJson(name, group);
    const { forbidden } = groupConfig(group);
    if (forbidden.length > 0) {
      forbiddenTable[name] = Object.fromEntries(forbidden.map((topic) => [topic, READ_FORBIDDEN]));
    }
  }
  connection.answerBody(header, rawJson({ dataVersion: node.dataVersion(), forbiddenTable, subscriptionGroupTable }));
};
