// A Spring application without its container: what Spring AMQP makes of RabbitMQ, step by step, and at the end one line of
// JSON with what it saw. The suite judges.
import com.google.gson.Gson;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.core.ReturnedMessage;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.DirectMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;

public final class SpringApplication {
    private static final int WAIT_SECONDS = 10;
    private static final Map<String, Object> SEEN = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        CachingConnectionFactory connections = new CachingConnectionFactory();
        connections.setUri(args[0]);
        connections.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.CORRELATED);
        connections.setPublisherReturns(true);
        RabbitAdmin admin = new RabbitAdmin(connections);
        String prefix = args[1];
        confirms(connections, admin, prefix + ".confirms");
        listens(connections, admin, prefix + ".listens");
        asks(connections, admin, prefix + ".asks");
        retries(connections, admin, prefix + ".retries");
        transacts(args[0], prefix + ".transacts");
        connections.destroy();
        System.out.println(new Gson().toJson(SEEN));
        System.exit(0);
    }

    /** Correlated confirms, and what comes back of a mandatory message that nobody takes. */
    private static void confirms(CachingConnectionFactory connections, RabbitAdmin admin, String queue) throws Exception {
        admin.declareQueue(QueueBuilder.durable(queue).maxLength(1L).overflow(QueueBuilder.Overflow.rejectPublish).build());
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setMandatory(true);
        LinkedBlockingQueue<ReturnedMessage> returned = new LinkedBlockingQueue<>();
        template.setReturnsCallback(returned::add);
        List<Boolean> acks = new ArrayList<>();
        for (String key : List.of(queue, queue, queue + ".missing")) {
            CorrelationData correlation = new CorrelationData(key);
            template.convertAndSend("", key, "m", correlation);
            acks.add(correlation.getFuture().get(WAIT_SECONDS, TimeUnit.SECONDS).isAck());
        }
        ReturnedMessage back = returned.poll(WAIT_SECONDS, TimeUnit.SECONDS);
        SEEN.put("confirms", acks);
        SEEN.put("returned", back == null ? null : back.getReplyCode() + " " + back.getReplyText());
    }

    /** Both kinds of containers with several consumers; a listener that fails sends to the dead letters. */
    private static void listens(CachingConnectionFactory connections, RabbitAdmin admin, String queue) throws Exception {
        DirectExchange exchange = new DirectExchange(queue + ".x");
        admin.declareExchange(exchange);
        Queue dead = QueueBuilder.durable(queue + ".dead").build();
        admin.declareQueue(dead);
        RabbitTemplate template = new RabbitTemplate(connections);
        for (String kind : List.of("simple", "direct")) {
            Queue work = QueueBuilder.durable(queue + "." + kind).deadLetterExchange("").deadLetterRoutingKey(dead.getName()).build();
            admin.declareQueue(work);
            Binding binding = BindingBuilder.bind(work).to(exchange).with(kind);
            admin.declareBinding(binding);
            CountDownLatch done = new CountDownLatch(200);
            List<String> got = Collections.synchronizedList(new ArrayList<>());
            MessageListener listener = message -> {
                String text = new String(message.getBody());
                got.add(text);
                done.countDown();
                if (text.equals("m13")) throw new AmqpRejectAndDontRequeueException("unlucky");
            };
            Runnable stop;
            if (kind.equals("simple")) {
                SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
                container.setQueueNames(work.getName());
                container.setConcurrentConsumers(3);
                container.setPrefetchCount(20);
                container.setMessageListener(listener);
                container.start();
                stop = container::stop;
            } else {
                DirectMessageListenerContainer container = new DirectMessageListenerContainer(connections);
                container.setQueueNames(work.getName());
                container.setConsumersPerQueue(2);
                container.setMessagesPerAck(10);
                container.setAckTimeout(200);
                container.setMessageListener(listener);
                container.start();
                stop = container::stop;
            }
            for (int i = 0; i < 200; i++) template.convertAndSend(exchange.getName(), kind, "m" + i);
            done.await(WAIT_SECONDS, TimeUnit.SECONDS);
            stop.run();
            Message unlucky = template.receive(dead.getName(), WAIT_SECONDS * 1_000L);
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("got", got.size());
            told.put("distinct", new java.util.HashSet<>(got).size());
            told.put("left", admin.getQueueInfo(work.getName()).getMessageCount());
            told.put("dead", unlucky == null ? null : new String(unlucky.getBody()) + " " + unlucky.getMessageProperties().getXDeathHeader().get(0).get("reason"));
            SEEN.put(kind, told);
        }
    }

    /** A question by direct reply, which is what RabbitTemplate does by default. */
    private static void asks(CachingConnectionFactory connections, RabbitAdmin admin, String queue) {
        admin.declareQueue(new Queue(queue, false, false, true));
        SimpleMessageListenerContainer server = new SimpleMessageListenerContainer(connections);
        server.setQueueNames(queue);
        server.setMessageListener(new MessageListenerAdapter(new Object() {
            @SuppressWarnings("unused")
            public String handleMessage(String question) {
                return question + "!";
            }
        }));
        server.start();
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setReplyTimeout(WAIT_SECONDS * 1_000L);
        List<Object> answers = new ArrayList<>();
        for (int i = 0; i < 3; i++) answers.add(template.convertSendAndReceive("", queue, "question " + i));
        SEEN.put("answers", answers);
        server.stop();
        SEEN.put("auto-delete queue is gone", admin.getQueueInfo(queue) == null);
    }

    /** A listener that fails once: the container requeues, the message comes again marked. */
    private static void retries(CachingConnectionFactory connections, RabbitAdmin admin, String queue) throws Exception {
        admin.declareQueue(QueueBuilder.durable(queue).quorum().deliveryLimit(5).build());
        LinkedBlockingQueue<Boolean> marks = new LinkedBlockingQueue<>();
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        container.setQueueNames(queue);
        container.setMessageListener(message -> {
            boolean isAgain = Boolean.TRUE.equals(message.getMessageProperties().isRedelivered());
            marks.add(isAgain);
            if (!isAgain) throw new IllegalStateException("once");
        });
        container.start();
        new RabbitTemplate(connections).convertAndSend("", queue, "m");
        List<Boolean> seen = new ArrayList<>();
        for (int i = 0; i < 2; i++) seen.add(marks.poll(WAIT_SECONDS, TimeUnit.SECONDS));
        container.stop();
        SEEN.put("retried", seen);
    }

    /** A template on transacted channels. */
    private static void transacts(String url, String queue) {
        CachingConnectionFactory connections = new CachingConnectionFactory();
        connections.setUri(url);
        RabbitAdmin admin = new RabbitAdmin(connections);
        admin.declareQueue(new Queue(queue));
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setChannelTransacted(true);
        template.convertAndSend("", queue, "committed");
        Object got = template.receiveAndConvert(queue, WAIT_SECONDS * 1_000L);
        SEEN.put("transacted", got);
        connections.destroy();
    }
}
