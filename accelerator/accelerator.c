/*
 * Earshot's accelerator: the same bytes to many sockets in one call from JavaScript.
 * It keeps nothing: descriptors are numbers that are good for the length of one call.
 */
#include <errno.h>
#include <node_api.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Node ignores SIGPIPE, on macOS too */
#endif

/* What the socket took of the bytes at once, or the error as a negative number. Never waits. */
static int32_t send_now(int fd, const void *bytes, size_t length) {
  for (;;) {
    ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return (int32_t)sent;
    if (errno != EINTR) return -errno;
  }
}

static napi_value refuse(napi_env env) {
  napi_throw_type_error(env, NULL,
                        "send(fds: Int32Array, count, bytes: Uint8Array, sent: Int32Array), and count fits both");
  return NULL;
}

/* send(fds, count, bytes, sent): for each of the first `count` descriptors that is not negative. */
static napi_value send_to_all(napi_env env, napi_callback_info info) {
  size_t argc = 4, fds_length, bytes_length, sent_length;
  napi_value argv[4];
  napi_typedarray_type fds_type, bytes_type, sent_type;
  uint32_t count;
  int32_t *fds, *sent;
  void *bytes;

  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 4) return refuse(env);
  if (napi_get_typedarray_info(env, argv[0], &fds_type, &fds_length, (void **)&fds, NULL, NULL) != napi_ok ||
      napi_get_value_uint32(env, argv[1], &count) != napi_ok ||
      napi_get_typedarray_info(env, argv[2], &bytes_type, &bytes_length, &bytes, NULL, NULL) != napi_ok ||
      napi_get_typedarray_info(env, argv[3], &sent_type, &sent_length, (void **)&sent, NULL, NULL) != napi_ok)
    return refuse(env);
  if (fds_type != napi_int32_array || bytes_type != napi_uint8_array || sent_type != napi_int32_array ||
      count > fds_length || count > sent_length || bytes_length > INT32_MAX)
    return refuse(env);

  for (uint32_t at = 0; at < count; at++)
    sent[at] = fds[at] < 0 ? -EAGAIN : send_now(fds[at], bytes, bytes_length);
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "send", NAPI_AUTO_LENGTH, send_to_all, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "send", function) != napi_ok) return NULL;
  return exports;
}
