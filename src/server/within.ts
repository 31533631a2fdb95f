/** The outcome of `work`, or a rejection with what `late` gives where it takes longer. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms).unref();
  });
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}
