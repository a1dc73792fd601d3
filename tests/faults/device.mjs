// One device in this process, told what to do by lib/remote.mjs.
import { Device } from './lib/device.mjs';

let device;
const tell = (...args) => process.connected && process.send(args);

process.on('disconnect', () => process.exit());
process.on('message', ([what, ...args]) => {
  if (what === 'open') {
    device = new Device(...args);
    for (const name of ['up', 'down', 'refused', 'event']) device.on(name, (...told) => tell(name, ...told));
  } else if (what === 'send') {
    if (device.up) device.send(...args);
  } else {
    const [n, ...question] = args;
    device.ask(...question).then((answer) => tell('answer', n, answer));
  }
});
