// amqp091-go: what every AMQP client must be able to do. A suite of its own, because not every machine has Go.
import { amqpBasics } from '../clients/amqp-basics.ts';
import { stage } from '../harness/suite.ts';

amqpBasics(stage('amqp-go', ['amqp']), 'amqp091-go');
