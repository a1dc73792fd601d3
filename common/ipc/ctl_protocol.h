/* The control socket's protocol: UNIX stream; a frame is a 4-byte big-endian
 * length and JSON text. Request {"v":1,"cmd":"status","args":[…]}; answer
 * {"ok":true,"data":…} or {"ok":false,"error":"…"}. One request, one answer,
 * any number per connection. Unknown members are ignored.
 *
 * A master that stops, or becomes its new program, answers all who are connected
 * before it hangs up, also who has not asked yet. {"ok":false,"error":"…",
 * "again":true}: nothing was done, and whoever asks again will have an answer. */
#ifndef PW_CTL_PROTOCOL_H
#define PW_CTL_PROTOCOL_H

#define CTL_VERSION 1
#define CTL_REQUEST_MAX 65536
#define CTL_ANSWER_MAX (16 * 1024 * 1024)

#endif
