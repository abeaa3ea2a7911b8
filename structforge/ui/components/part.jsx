// A part of a page that breaks alone: what it cannot draw is said in its place, and the rest of the page goes on. It
// draws again when it is asked to, and by itself when `subject` changes. Knows no words of the program around it.
import { Component } from "react";

export class Part extends Component {
  state = { fault: null };

  static getDerivedStateFromError(fault) {
    return { fault };
  }

  componentDidUpdate(before) {
    if (this.state.fault && before.subject !== this.props.subject) this.setState({ fault: null });
  }

  render() {
    const { name, texts, children } = this.props;
    const { fault } = this.state;
    if (!fault) return children;
    return (
      <div className="notice part-broken" role="alert" data-part={name}>
        <div>
          <h3>{texts.title}</h3>
          <p className="muted">{texts.hint}</p>
          <button type="button" className="btn small-btn" onClick={() => this.setState({ fault: null })}>{texts.again}</button>
          <details>
            <summary>{texts.details}</summary>
            <code className="small">{String(fault?.message ?? fault)}</code>
          </details>
        </div>
      </div>
    );
  }
}
