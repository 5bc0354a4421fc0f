// Makes rocketmq-5.3.3.json: bytes that the Java library itself encodes. Needs org.apache.rocketmq:rocketmq-client:5.3.3
// and its dependencies on the class path:
//
//   java -cp "lib/*" Vectors.java > rocketmq-5.3.3.json
import java.nio.ByteBuffer; import java.nio.charset.StandardCharsets; import java.util.*; import java.net.*;
import org.apache.rocketmq.common.message.*; import org.apache.rocketmq.remoting.protocol.*; import org.apache.rocketmq.remoting.protocol.header.*;
import org.apache.rocketmq.common.compression.*;
import org.apache.rocketmq.remoting.protocol.heartbeat.*;
import org.apache.rocketmq.remoting.protocol.body.*;
import org.apache.rocketmq.remoting.protocol.route.*;
public class Vectors {
  static StringBuilder out=new StringBuilder("{\n"); static boolean first=true;
  static String hex(byte[] b){StringBuilder s=new StringBuilder(); for(byte x:b) s.append(String.format("%02x",x)); return s.toString();}
  static String esc(String s){ StringBuilder b=new StringBuilder(); for(char c: s.toCharArray()){ if(c=='"'||c=='\\') b.append('\\').append(c); else if(c<32) b.append(String.format("\\u%04x",(int)c)); else b.append(c);} return b.toString(); }
  static void put(String n,String v){ if(!first) out.append(",\n"); first=false; out.append("  \""+n+"\": \""+v+"\""); }
  static byte[] frame(RemotingCommand c){ ByteBuffer b=c.encodeHeader(); byte[] h=new byte[b.remaining()]; b.get(h); byte[] body=c.getBody()==null?new byte[0]:c.getBody(); byte[] r=new byte[h.length+body.length]; System.arraycopy(h,0,r,0,h.length); System.arraycopy(body,0,r,h.length,body.length); return r; }
  static SendMessageRequestHeader send(){ SendMessageRequestHeader h=new SendMessageRequestHeader(); h.setProducerGroup("pg"); h.setTopic("Orders"); h.setDefaultTopic("TBW102"); h.setDefaultTopicQueueNums(4); h.setQueueId(3); h.setSysFlag(0); h.setBornTimestamp(1700000000123L); h.setFlag(7);
    Map<String,String> p=new LinkedHashMap<>(); p.put("KEYS","k1 k2"); p.put("TAGS","TagA"); p.put("UNIQ_KEY","7F0000010001AABBCCDD000000010000"); p.put("name","J\u00fcrgen \u4f60\u597d \"q\" \\ \uD83D\uDE00"); h.setProperties(MessageDecoder.messageProperties2String(p)); h.setReconsumeTimes(0); h.setUnitMode(false); h.setBatch(false); h.setMaxReconsumeTimes(16); h.setBrokerName("b"); return h; }
  public static void main(String[] a) throws Exception {
    for (SerializeType t: SerializeType.values()) { String n=t==SerializeType.JSON?"json":"binary";
      RemotingCommand c=RemotingCommand.createRequestCommand(RequestCode.SEND_MESSAGE_V2, SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(send())); c.setSerializeTypeCurrentRPC(t); c.setOpaque(42); c.setBody("hello".getBytes()); c.setVersion(473); put("request310_"+n,hex(frame(c)));
      c=RemotingCommand.createRequestCommand(RequestCode.SEND_MESSAGE, send()); c.setSerializeTypeCurrentRPC(t); c.setOpaque(43); c.setVersion(473); c.setBody("hello".getBytes()); put("request10_"+n,hex(frame(c)));
      PullMessageRequestHeader p=new PullMessageRequestHeader(); p.setConsumerGroup("cg"); p.setTopic("Orders"); p.setQueueId(2); p.setQueueOffset(123456789012L); p.setMaxMsgNums(32); p.setSysFlag(6); p.setCommitOffset(0L); p.setSuspendTimeoutMillis(15000L); p.setSubscription("A || B"); p.setSubVersion(1700000000456L); p.setExpressionType("TAG"); p.setMaxMsgBytes(262144);
      c=RemotingCommand.createRequestCommand(RequestCode.PULL_MESSAGE,p); c.setSerializeTypeCurrentRPC(t); c.setOpaque(44); c.setVersion(473); put("request11_"+n,hex(frame(c)));
      UpdateConsumerOffsetRequestHeader u=new UpdateConsumerOffsetRequestHeader(); u.setConsumerGroup("cg"); u.setTopic("Orders"); u.setQueueId(1); u.setCommitOffset(77L); c=RemotingCommand.createRequestCommand(RequestCode.UPDATE_CONSUMER_OFFSET,u); c.setSerializeTypeCurrentRPC(t); c.setOpaque(45); c.setVersion(473); c.markOnewayRPC(); put("request15_"+n,hex(frame(c)));
      PopMessageRequestHeader pop=new PopMessageRequestHeader(); pop.setConsumerGroup("cg"); pop.setTopic("Orders"); pop.setQueueId(-1); pop.setMaxMsgNums(32); pop.setInvisibleTime(60000); pop.setPollTime(15000); pop.setBornTime(1); pop.setInitMode(0); c=RemotingCommand.createRequestCommand(RequestCode.POP_MESSAGE,pop); c.setSerializeTypeCurrentRPC(t); c.setOpaque(46); c.setVersion(473); put("request200050_"+n,hex(frame(c)));
      HeartbeatData hb=new HeartbeatData(); hb.setClientID("10.0.0.1@123"); ProducerData pd=new ProducerData(); pd.setGroupName("pg"); hb.getProducerDataSet().add(pd); ConsumerData cd=new ConsumerData(); cd.setGroupName("cg"); cd.setConsumeType(ConsumeType.CONSUME_PASSIVELY); cd.setMessageModel(MessageModel.CLUSTERING); cd.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET); SubscriptionData sd=org.apache.rocketmq.remoting.protocol.filter.FilterAPI.buildSubscriptionData("Orders","A || B"); sd.setSubVersion(99); cd.getSubscriptionDataSet().add(sd); hb.getConsumerDataSet().add(cd);
      c=RemotingCommand.createRequestCommand(RequestCode.HEART_BEAT,new HeartbeatRequestHeader()); c.setSerializeTypeCurrentRPC(t); c.setOpaque(47); c.setVersion(473); c.setBody(hb.encode()); put("request34_"+n,hex(frame(c)));
    }
    List<Message> l=new ArrayList<>(); for(int i=0;i<3;i++){ Message m=new Message("Orders","T"+i,"K"+i,("body"+i).getBytes()); m.setFlag(i); l.add(m);} l.get(1).setBody(new byte[0]);
    put("batchBody",hex(MessageDecoder.encodeMessages(l)));
    MessageExt e=new MessageExt(); e.setTopic("Orders"); e.setBody("hello".getBytes()); e.setQueueId(3); e.setFlag(7); e.setQueueOffset(123456L); e.setCommitLogOffset((5L<<32)|123456L); e.setSysFlag(0); e.setBornTimestamp(1700000000123L); e.setBornHost(new InetSocketAddress(InetAddress.getByAddress(new byte[]{10,1,2,3}),54321)); e.setStoreTimestamp(1700000000999L); e.setStoreHost(new InetSocketAddress(InetAddress.getByAddress(new byte[]{127,0,0,1}),10911)); e.setReconsumeTimes(2); e.setPreparedTransactionOffset(0); 
    e.setBodyCRC(org.apache.rocketmq.common.UtilAll.crc32(e.getBody()));
    MessageAccessor.putProperty(e,"KEYS","k1"); MessageAccessor.putProperty(e,"TAGS","TagA");
    byte[] enc=MessageDecoder.encode(e,false); put("storedMessage",hex(enc)); put("storedMessageProperties", esc(MessageDecoder.messageProperties2String(e.getProperties())));
    put("offsetMsgId", MessageDecoder.createMessageId(e.getStoreHost(), e.getCommitLogOffset()));
    MessageExt v6=MessageDecoder.decode(ByteBuffer.wrap(enc)); v6.setBornHost(new InetSocketAddress(InetAddress.getByName("2001:db8::1"),1)); v6.setStoreHost(new InetSocketAddress(InetAddress.getByName("2001:db8::2"),10911)); v6.setSysFlag(16|32); v6.setStoreSize(0); put("storedMessageV6",hex(MessageDecoder.encode(v6,false)));
    put("offsetMsgIdV6", MessageDecoder.createMessageId(v6.getStoreHost(), v6.getCommitLogOffset()));
    byte[] text="hello hello hello hello hello hello hello hello hello ".repeat(30).getBytes();
    for(CompressionType ct: CompressionType.values()) put("compressed_"+ct.name().toLowerCase(), hex(CompressorFactory.getCompressor(ct).compress(text,5)));
    put("hash_TagA",""+"TagA".hashCode()); put("hash_unicode",""+"\u4f60\u597d\uD83D\uDE00".hashCode()); put("hash_Aa",""+"Aa".hashCode()); put("hash_BB",""+"BB".hashCode()); put("hash_min",""+"polygenelubricants".hashCode());
    LockBatchRequestBody lb=new LockBatchRequestBody(); lb.setConsumerGroup("cg"); lb.setClientId("c1"); lb.getMqSet().add(new MessageQueue("Orders","b",1)); put("lockBody",hex(lb.encode()));
    TopicRouteData r=new TopicRouteData(); QueueData q=new QueueData(); q.setBrokerName("b"); q.setPerm(6); q.setReadQueueNums(4); q.setWriteQueueNums(4); r.setQueueDatas(new ArrayList<>(List.of(q))); HashMap<Long,String> addrs=new HashMap<>(); addrs.put(0L,"127.0.0.1:10911"); BrokerData bd=new BrokerData("DefaultCluster","b",addrs); r.setBrokerDatas(new ArrayList<>(List.of(bd))); put("routeRaw",esc(new String(r.encode())));
    out.append("\n}\n"); System.out.print(out);
  } }
