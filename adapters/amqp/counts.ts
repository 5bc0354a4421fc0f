/** Counters of this protocol for the metrics page: plain fields, copied when somebody looks. */
export function newCounts() {
  return {
    connectionsAccepted: 0,
    connectionErrors: 0,
    channelErrors: 0,
    bytesIn: 0,
    published: 0,
    unroutable: 0,
    refused: 0,
    delivered: 0,
    answered: 0,
    conversions: 0,
  };
}

export type Counts = ReturnType<typeof newCounts>;
