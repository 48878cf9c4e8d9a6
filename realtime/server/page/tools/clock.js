// What time it is, here or elsewhere.

export const clock = {
  title: "Clock",
  about: "“What time is it in Tokyo?”",
  definition: {
    type: "function",
    name: "get_time",
    description: "Tells the date and the time of day, here or in another time zone.",
    parameters: {
      type: "object",
      properties: {
        time_zone: { type: "string", description: "An IANA name such as Asia/Tokyo. Leave it out for here." },
      },
    },
  },
  run({ time_zone: zone }) {
    const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short", timeZone: zone });
    return { time: format.format(new Date()), time_zone: format.resolvedOptions().timeZone };
  },
};
