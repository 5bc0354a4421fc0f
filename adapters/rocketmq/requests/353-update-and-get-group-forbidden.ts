// 353 UPDATE_AND_GET_GROUP_FORBIDDEN: whether a group may read a topic. Without `readable` it is only asked for.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { GROUP_CONFIG_KEY, groupConfig, groupConfigText } from '../group-config.ts';
import { rawJson } from '../json-body.ts';
import { existingGroup } from '../look-up.ts';

const GROUP = fieldNumber('group');
const TOPIC = fieldNumber('topic');
const READABLE = fieldNumber('readable');

export const updateAndGetGroupForbidden: RequestHandler = (connection, header) => {
  const wireGroup = header.string(GROUP);
  const wireTopic = header.string(TOPIC);
  const group = existingGroup(connection, wireGroup);
  const wanted = header.has(READABLE) ? header.boolean(READABLE) : null;
  connection.later(header, async (ticket) => {
    const config = groupConfig(group);
    if (wanted !== null && wanted === config.forbidden.includes(wireTopic)) {
      const forbidden = config.forbidden.filter((topic) => topic !== wireTopic);
      if (!wanted) forbidden.push(wireTopic);
      const text = groupConfigText({ ...config, forbidden });
      await connection.broker.alterGroup(connection.principal, group, {
        extra: { ...group.attributes.extra, [GROUP_CONFIG_KEY]: text },
      });
    }
    const readable = !groupConfig(group).forbidden.includes(wireTopic);
    connection.answerBody(ticket, rawJson({ group: wireGroup, readable, topic: wireTopic }));
  });
};
