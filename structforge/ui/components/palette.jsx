// An item that is dragged onto a canvas or chosen by click and Enter.
export function DragItem({ kind, onChoose, className = "", children }) {
  return (
    <button
      type="button" className={className} draggable data-kind={kind}
      onDragStart={(event) => {
        event.dataTransfer.setData("application/x-canvas-item", kind);
        event.dataTransfer.effectAllowed = "copy";
      }}
      onClick={() => onChoose?.()}
    >
      {children}
    </button>
  );
}
