import type { SessionEvent, StatusEvent } from '../session/events.js';

/** Where a session stands, as its events tell it. */
export class ConnectionTracker {
  state: StatusEvent['state'];
  mediatorLost = false;
  #lastTold: SessionEvent['event'] | undefined;

  constructor(state: StatusEvent['state']) {
    this.state = state;
  }

  /** Takes an event in; says whether it is news. A mediator that goes on being out of reach is not. */
  record(event: SessionEvent): boolean {
    switch (event.event) {
      case 'online':
        this.mediatorLost = false;
        break;
      case 'offline':
        this.mediatorLost = true;
        break;
      case 'waiting':
        this.mediatorLost = false;
        if (this.state !== 'connected') this.state = 'waiting';
        break;
      case 'connected':
        this.state = 'connected';
        break;
      case 'disconnected':
        this.state = 'reconnecting';
        break;
      default:
        return true;
    }
    const isNews = this.#lastTold !== event.event;
    this.#lastTold = event.event;
    return isNews;
  }
}
