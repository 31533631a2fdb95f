// What is measured: how messages are sent, and when a window is over.
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t published;

static void send_burst(int burst, bytes message) {
  int senders = publishers.count < burst ? publishers.count : burst;
  static unsigned char joined[BUFFER];
  if (senders > 1 || message.length * (size_t)burst > BUFFER) {
    for (int i = 0; i < burst; i++)
      send_numbered(publishers.all[i % senders], message, (unsigned)(published++ * 7919 % (uint64_t)modulus));
    return;
  }
  for (int i = 0; i < burst; i++) {
    unsigned char *at = joined + message.length * (size_t)i, *place;
    memcpy(at, message.at, message.length);
    char digits[8];
    snprintf(digits, sizeof digits, "%05u", (unsigned)(published++ * 7919 % (uint64_t)modulus) % 100000);
    if ((place = memmem(at, message.length, "#####", 5)) != NULL) memcpy(place, digits, 5);
  }
  send_all(publishers.all[0], joined, message.length * (size_t)burst);
}

void fan(void) {
  int64_t ms = atoll(strtok(NULL, " "));
  int burst = atoi(strtok(NULL, " "));
  uint64_t per = strtoull(strtok(NULL, " "), NULL, 10), first = published;
  bytes message = from_hex(strtok(NULL, " "));
  delivered = 0;
  reading before = look();
  uint64_t wanted = 0;
  do {
    send_burst(burst, message);
    await_deliveries(wanted += (uint64_t)burst * per);
  } while (now_ns() < before.at_ns + ms * 1000000);
  if (delivered != wanted) fail("%llu came where %llu were wanted", (unsigned long long)delivered, (unsigned long long)wanted);
  tell(before, delivered, published - first);
  puts("}");
}

static int64_t *sent_ns;
static uint32_t *late_us;
static size_t late_count, late_room;

static void note_late(int64_t ns) {
  if (late_count < late_room) late_us[late_count++] = (uint32_t)(ns / 1000);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void make_room(size_t room) {
  late_us = realloc(late_us, sizeof *late_us * room);
  late_room = room;
  late_count = 0;
}

static void tell_late(void) {
  qsort(late_us, late_count, sizeof *late_us, by_size);
  size_t n = late_count;
  printf(",\"p50Us\":%u,\"p99Us\":%u}\n", n ? late_us[n / 2] : 0, n ? late_us[n * 99 / 100] : 0);
}

static void heard_at_rate(conn *c, uint64_t came) {
  int64_t at = now_ns();
  for (; came > 0; came--) note_late(at - sent_ns[c->count - came]);
}

void rate(void) {
  int64_t ms = atoll(strtok(NULL, " ")), per_second = atoll(strtok(NULL, " "));
  uint64_t per = strtoull(strtok(NULL, " "), NULL, 10), messages = (uint64_t)(ms * per_second / 1000);
  bytes message = from_hex(strtok(NULL, " "));
  sent_ns = realloc(sent_ns, sizeof *sent_ns * (messages + 1));
  make_room(messages * per);
  for (int i = 0; i < readers.count; i++) readers.all[i]->count = 0;
  delivered = 0;
  heard = heard_at_rate;
  reading before = look();
  for (uint64_t sent = 0; sent < messages;) {
    if (now_ns() >= before.at_ns + (int64_t)sent * 1000000000LL / per_second) {
      sent_ns[sent++] = now_ns();
      send_burst(1, message);
    }
    pump(0);
  }
  await_deliveries(messages * per);
  heard = NULL;
  tell(before, delivered, messages);
  tell_late();
}

static bytes echo_message;
static int64_t echo_until_ns;
static uint64_t echo_sent;

static void send_echo(conn *c) {
  c->since = now_ns();
  echo_sent++;
  send_numbered(c, echo_message, (unsigned)(echo_sent % (uint64_t)modulus));
}

static void heard_echo(conn *c, uint64_t came) {
  (void)came;
  int64_t at = now_ns();
  note_late(at - c->since);
  if (at < echo_until_ns) send_echo(c);
}

void echo(void) {
  int64_t ms = atoll(strtok(NULL, " "));
  int connections = atoi(strtok(NULL, " "));
  echo_message = from_hex(strtok(NULL, " "));
  make_room(4000000);
  delivered = echo_sent = 0;
  heard = heard_echo;
  reading before = look();
  echo_until_ns = before.at_ns + ms * 1000000;
  for (int i = 0; i < connections && i < readers.count; i++) send_echo(readers.all[i]);
  do pump(0);
  while (now_ns() < echo_until_ns);
  await_deliveries(echo_sent);
  heard = NULL;
  tell(before, delivered, echo_sent);
  tell_late();
}

void storm(void) {
  int64_t ms = atoll(strtok(NULL, " "));
  int count = atoi(strtok(NULL, " ")), port = atoi(strtok(NULL, " "));
  bytes said[STEPS], until[STEPS];
  int steps = steps_from_line(said, until);
  uint64_t connected = 0;
  reading before = look();
  while (now_ns() < before.at_ns + ms * 1000000) {
    conn all[OPENING] = {0}, *batch[OPENING];
    int some = count < OPENING ? count : OPENING;
    for (int i = 0; i < some; i++) {
      all[i] = (conn){.fd = dial(port), .kind = MARKER, .index = (int)connected + i};
      batch[i] = &all[i];
    }
    step_through(batch, some, said, until, steps);
    for (int i = 0; i < some; i++) {
      close(all[i].fd);
      free(all[i].text);
    }
    connected += (uint64_t)some;
  }
  tell(before, connected, 0);
  puts("}");
}

void read_log(void) {
  uint64_t count = strtoull(strtok(NULL, " "), NULL, 10);
  bytes said = from_hex(strtok(NULL, " "));
  delivered = 0;
  reading before = look();
  send_all(readers.all[0], said.at, said.length);
  await_deliveries(count);
  tell(before, delivered, 0);
  puts("}");
}

/** Every reader asks; when all of them wait, a message is published, which answers them all. */
void turn(void) {
  int64_t ms = atoll(strtok(NULL, " ")), gap_ms = atoll(strtok(NULL, " "));
  bytes request = from_hex(strtok(NULL, " ")), message = from_hex(strtok(NULL, " "));
  uint64_t wanted = 0, first = published;
  delivered = 0;
  reading before = look();
  do {
    for (int i = 0; i < readers.count; i++) send_all(readers.all[i], request.at, request.length);
    for (int64_t until = now_ns() + gap_ms * 1000000; now_ns() < until;) pump(0);
    send_burst(1, message);
    await_deliveries(wanted += (uint64_t)readers.count);
  } while (now_ns() < before.at_ns + ms * 1000000);
  tell(before, delivered, published - first);
  puts("}");
}
