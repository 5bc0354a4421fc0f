// The codec of stored Kafka batches, as the core registers it.
import type { Codec } from '../../../core/types.ts';
import { FORMAT } from '../../adapter.ts';
import { stamp } from './batch.ts';
import { decodeBatch } from './records.ts';

export const codec: Codec = { format: FORMAT.kafka, name: 'kafka record batch v2', decode: decodeBatch, stamp };
