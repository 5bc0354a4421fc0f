// ListPartitionReassignments (46): nothing is ever under way, there is no other node to move to.
import { listPartitionReassignments } from '../../../specs/kafka/admin.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const listPartitionReassignmentsRoute: Route = { api: listPartitionReassignments, handle: list };

function list(call: Call): void {
  const { broker, settings } = call.node;
  call.request(listPartitionReassignments);
  try {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
    call.reply(listPartitionReassignments, { errorCode: ERROR.NONE, topics: [] });
  } catch (error) {
    call.node.counts.errors++;
    const { message } = error as Error;
    call.reply(listPartitionReassignments, {
      errorCode: errorCode(error, 'cluster'),
      errorMessage: message,
      topics: [],
    });
  }
}
